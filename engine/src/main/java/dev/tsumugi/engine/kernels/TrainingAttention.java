package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.kernels.TrainingKernels.AttentionShape;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Attention within sequences, forward and backward, by tiles: a tile is some neighbouring queries of one head against all keys that they see,
 * whose scores are in scratch memory. The backward pass computes the probabilities anew from the saved logarithms of their sums (Dao et al.,
 * arXiv 2205.14135).
 */
final class TrainingAttention implements AutoCloseable {
    /** Queries of a tile: a multiple of the rows that {@link FloatProduct} takes at once. */
    private static final int TILE = 16 * FloatProduct.ROWS;

    /** Parts of a sequence's queries in the backward pass, so that few heads keep all threads busy. */
    private static final int PARTS = 2;

    private final FloatProduct products = new FloatProduct();
    private final ThreadTeam team;
    private final Scratch[] scratch;
    private final Scratch transposes = new Scratch();
    private final Scratch parts = new Scratch();

    TrainingAttention(ThreadTeam team, Scratch[] scratch) {
        this.team = team;
        this.scratch = scratch;
    }

    @Override
    public void close() {
        transposes.close();
        parts.close();
    }

    /** Addresses of one head of one sequence. */
    private record Head(long queries, long keys, long values, long keysTurned, long valuesTurned, int tokens) {}

    void forward(long out, long logSums, long heads, AttentionShape shape) {
        turn(heads, shape, false);
        int[] tileStarts = tileStarts(shape.starts());
        int tiles = tileStarts.length / 2;
        team.run(tiles * shape.heads(), (task, member) -> {
            // Later tiles see more and take longer; begun first, they do not end last.
            int tile = tiles - 1 - task / shape.heads();
            int h = task % shape.heads();
            forwardTile(out, logSums, heads, shape, tileStarts[2 * tile], tileStarts[2 * tile + 1], h, scratch[member]);
        });
    }

    private void forwardTile(
            long out, long logSums, long heads, AttentionShape shape, int sequence, int first, int h, Scratch room) {
        int d = shape.headSize();
        int start = shape.starts()[sequence];
        int rows = Math.min(TILE, shape.starts()[sequence + 1] - first);
        int seen = first + rows - start;
        Head head = head(heads, shape, sequence, h);
        long stride = shape.stride() * Lanes.FLOAT_BYTES;
        long scoreRow = VectorCache.padded(seen) * Lanes.FLOAT_BYTES;
        long scores = room.address(rows * scoreRow);
        scores(scores, scoreRow, head, stride, first - start, rows, seen, d);
        for (int r = 0; r < rows; r++) {
            int last = first - start + r;
            double logSum = softmaxRow(scores + r * scoreRow, lowest(shape, last), last + 1, seen, shape.scale());
            Lanes.setFloat(logSums + ((long) (first + r) * shape.heads() + h) * Lanes.FLOAT_BYTES, (float) logSum);
        }
        long outStride = (long) shape.heads() * d * Lanes.FLOAT_BYTES;
        long to = out + first * outStride + (long) h * d * Lanes.FLOAT_BYTES;
        for (int r = 0; r < rows; r++) {
            Lanes.zero(to + r * outStride, d * Lanes.FLOAT_BYTES);
        }
        products.add(to, outStride, scores, scoreRow, Lanes.FLOAT_BYTES, head.values, stride, rows, d, seen);
    }

    void backward(long dHeads, long dOut, long out, long logSums, long heads, AttentionShape shape) {
        turn(heads, shape, true);
        int h = shape.heads();
        int tokens = shape.tokens();
        // Keys and values are shared by heads and by queries: each part sums for itself, in a buffer [2, PARTS, H, T,
        // D].
        long bytes = (long) PARTS * h * tokens * shape.headSize() * Lanes.FLOAT_BYTES;
        long dKeys = parts.address(2 * bytes);
        long dValues = dKeys + bytes;
        int sequences = shape.starts().length - 1;
        team.run(
                PARTS * sequences * h,
                (task, member) -> backwardPart(
                        new Slopes(dHeads, dKeys, dValues, dOut),
                        out,
                        logSums,
                        heads,
                        shape,
                        task / PARTS / h,
                        task / PARTS % h,
                        task % PARTS,
                        scratch[member]));
        team.run(Math.ceilDiv(tokens, TILE), (task, member) -> {
            int end = Math.min(tokens, (task + 1) * TILE);
            for (int t = task * TILE; t < end; t++) {
                sumParts(dHeads, dKeys, dValues, t, shape);
            }
        });
    }

    /** Addresses of gradients: of queries, keys and values; of keys and of values in parts; of the output. */
    private record Slopes(long heads, long keys, long values, long out) {}

    /** First query of a part of a sequence: later ones see more keys, so the first part has seven in ten of them. */
    private static int partStart(int part, int tokens) {
        return switch (part) {
            case 0 -> 0;
            case 1 -> Math.min(tokens, (int) Math.round(tokens * Math.sqrt(0.5) / TILE) * TILE);
            default -> tokens;
        };
    }

    private void backwardPart(
            Slopes slopesTo,
            long out,
            long logSums,
            long heads,
            AttentionShape shape,
            int sequence,
            int h,
            int part,
            Scratch room) {
        int d = shape.headSize();
        int start = shape.starts()[sequence];
        int tokens = shape.starts()[sequence + 1] - start;
        Head head = head(heads, shape, sequence, h);
        long stride = shape.stride() * Lanes.FLOAT_BYTES;
        long outStride = (long) shape.heads() * d * Lanes.FLOAT_BYTES;
        long partRow = d * Lanes.FLOAT_BYTES;
        long own = (((long) part * shape.heads() + h) * shape.tokens() + start) * partRow;
        long dKey = slopesTo.keys + own;
        long dValue = slopesTo.values + own;
        Lanes.zero(dKey, tokens * partRow);
        Lanes.zero(dValue, tokens * partRow);
        long scoreRow = VectorCache.padded(tokens) * Lanes.FLOAT_BYTES;
        long scores = room.address(2 * TILE * scoreRow);
        long slopes = scores + TILE * scoreRow;
        for (int first = partStart(part, tokens); first < partStart(part + 1, tokens); first += TILE) {
            int rows = Math.min(TILE, tokens - first);
            int seen = first + rows;
            long dRow = slopesTo.out + (start + first) * outStride + (long) h * d * Lanes.FLOAT_BYTES;
            long oRow = out + (start + first) * outStride + (long) h * d * Lanes.FLOAT_BYTES;
            scores(scores, scoreRow, head, stride, first, rows, seen, d);
            for (int r = 0; r < rows; r++) {
                Lanes.zero(slopes + r * scoreRow, seen * Lanes.FLOAT_BYTES);
            }
            products.add(
                    slopes,
                    scoreRow,
                    dRow,
                    outStride,
                    Lanes.FLOAT_BYTES,
                    head.valuesTurned,
                    tokens * Lanes.FLOAT_BYTES,
                    rows,
                    seen,
                    d);
            for (int r = 0; r < rows; r++) {
                int last = first + r;
                float logSum =
                        Lanes.getFloat(logSums + ((long) (start + last) * shape.heads() + h) * Lanes.FLOAT_BYTES);
                float shared = dot(dRow + r * outStride, oRow + r * outStride, d);
                softmaxBackwardRow(
                        scores + r * scoreRow,
                        slopes + r * scoreRow,
                        lowest(shape, last),
                        last + 1,
                        seen,
                        shape.scale(),
                        logSum,
                        shared);
            }
            // dV += P^T dO, dK += dS^T Q, dQ = dS K
            products.add(dValue, partRow, scores, Lanes.FLOAT_BYTES, scoreRow, dRow, outStride, seen, d, rows);
            products.add(
                    dKey,
                    partRow,
                    slopes,
                    Lanes.FLOAT_BYTES,
                    scoreRow,
                    head.queries + first * stride,
                    stride,
                    seen,
                    d,
                    rows);
            long dQuery = slopesTo.heads + (start + first) * stride + (long) h * d * Lanes.FLOAT_BYTES;
            for (int r = 0; r < rows; r++) {
                Lanes.zero(dQuery + r * stride, partRow);
            }
            products.add(dQuery, stride, slopes, scoreRow, Lanes.FLOAT_BYTES, head.keys, stride, rows, d, seen);
        }
    }

    /** The gradients of one token's keys and values, summed over the heads that share them and their parts. */
    private static void sumParts(long dHeads, long dKeys, long dValues, int token, AttentionShape shape) {
        int d = shape.headSize();
        int group = shape.heads() / shape.keyValueHeads();
        long to = dHeads + ((long) token * shape.stride() + (long) shape.heads() * d) * Lanes.FLOAT_BYTES;
        long valuesApart = (long) shape.keyValueHeads() * d * Lanes.FLOAT_BYTES;
        for (int g = 0; g < shape.keyValueHeads(); g++) {
            for (int i = 0; i < d; i += Lanes.L) {
                FloatVector key = FloatVector.zero(Lanes.F);
                FloatVector value = FloatVector.zero(Lanes.F);
                for (int part = 0; part < PARTS; part++) {
                    for (int h = g * group; h < (g + 1) * group; h++) {
                        long row = ((long) part * shape.heads() + h) * shape.tokens() + token;
                        long at = (row * d + i) * Lanes.FLOAT_BYTES;
                        key = key.add(Lanes.load(dKeys + at, d - i));
                        value = value.add(Lanes.load(dValues + at, d - i));
                    }
                }
                long at = to + ((long) g * d + i) * Lanes.FLOAT_BYTES;
                Lanes.store(key, at, d - i);
                Lanes.store(value, at + valuesApart, d - i);
            }
        }
    }

    /** Scores before the scale: queries times turned keys. */
    private void scores(long scores, long scoreRow, Head head, long stride, int first, int rows, int seen, int d) {
        for (int r = 0; r < rows; r++) {
            Lanes.zero(scores + r * scoreRow, seen * Lanes.FLOAT_BYTES);
        }
        products.add(
                scores,
                scoreRow,
                head.queries + first * stride,
                stride,
                Lanes.FLOAT_BYTES,
                head.keysTurned,
                head.tokens * Lanes.FLOAT_BYTES,
                rows,
                seen,
                d);
    }

    private static int lowest(AttentionShape shape, int position) {
        return shape.window() == 0 ? 0 : Math.max(0, position + 1 - shape.window());
    }

    /**
     * Scores to probabilities: those from {@code from} until {@code end} by softmax, the others zero. The row has room for whole vectors.
     *
     * @return the logarithm of the sum of the exponentials
     */
    private static double softmaxRow(long row, int from, int end, int width, float scale) {
        int begin = from & -Lanes.L;
        int behind = VectorCache.padded(end);
        hide(row, begin, from, end, behind);
        float maximum = scaledMaximum(row, begin, behind, scale);
        float sum = exponentials(row, begin, behind, scale, maximum);
        float inverse = 1 / sum;
        for (int i = begin; i < behind; i += Lanes.L) {
            long at = row + i * Lanes.FLOAT_BYTES;
            Lanes.store(Lanes.load(at).mul(inverse), at);
        }
        clear(row, begin, behind, width);
        return maximum + Math.log(sum);
    }

    /** Infinitely low scores for what shares a vector with the first or the last that is seen. */
    private static void hide(long row, int begin, int from, int end, int behind) {
        for (int i = begin; i < from; i++) {
            Lanes.setFloat(row + i * Lanes.FLOAT_BYTES, Float.NEGATIVE_INFINITY);
        }
        for (int i = end; i < behind; i++) {
            Lanes.setFloat(row + i * Lanes.FLOAT_BYTES, Float.NEGATIVE_INFINITY);
        }
    }

    private static float scaledMaximum(long row, int begin, int behind, float scale) {
        FloatVector most = FloatVector.broadcast(Lanes.F, Float.NEGATIVE_INFINITY);
        for (int i = begin; i < behind; i += Lanes.L) {
            most = most.max(Lanes.load(row + i * Lanes.FLOAT_BYTES));
        }
        return most.reduceLanes(VectorOperators.MAX) * scale;
    }

    private static float exponentials(long row, int begin, int behind, float scale, float maximum) {
        FloatVector sums = FloatVector.zero(Lanes.F);
        for (int i = begin; i < behind; i += Lanes.L) {
            long at = row + i * Lanes.FLOAT_BYTES;
            FloatVector value = VectorMath.exp(Lanes.load(at).mul(scale).sub(maximum));
            sums = sums.add(value);
            Lanes.store(value, at);
        }
        return Lanes.sum(sums);
    }

    /** Zeros before {@code begin} and from {@code behind} on. */
    private static void clear(long row, int begin, int behind, int width) {
        Lanes.zero(row, begin * Lanes.FLOAT_BYTES);
        if (behind < width) {
            Lanes.zero(row + behind * Lanes.FLOAT_BYTES, (width - behind) * Lanes.FLOAT_BYTES);
        }
    }

    /** Scores to probabilities p, and slopes to {@code scale * p * (slope - shared)}. */
    private static void softmaxBackwardRow(
            long scores, long slopes, int from, int end, int width, float scale, float logSum, float shared) {
        int begin = from & -Lanes.L;
        int behind = VectorCache.padded(end);
        hide(scores, begin, from, end, behind);
        for (int i = begin; i < behind; i += Lanes.L) {
            long at = i * Lanes.FLOAT_BYTES;
            FloatVector p = VectorMath.exp(Lanes.load(scores + at).mul(scale).sub(logSum));
            FloatVector slope = Lanes.load(slopes + at).sub(shared).mul(p).mul(scale);
            Lanes.store(p, scores + at);
            Lanes.store(slope, slopes + at);
        }
        clear(scores, begin, behind, width);
        clear(slopes, begin, behind, width);
    }

    private static float dot(long a, long b, int count) {
        FloatVector sum = FloatVector.zero(Lanes.F);
        for (int i = 0; i < count; i += Lanes.L) {
            long at = i * Lanes.FLOAT_BYTES;
            sum = Lanes.load(a + at, count - i).fma(Lanes.load(b + at, count - i), sum);
        }
        return Lanes.sum(sum);
    }

    private Head head(long heads, AttentionShape shape, int sequence, int h) {
        int d = shape.headSize();
        int start = shape.starts()[sequence];
        int tokens = shape.starts()[sequence + 1] - start;
        int g = h / (shape.heads() / shape.keyValueHeads());
        long row = heads + (long) start * shape.stride() * Lanes.FLOAT_BYTES;
        long turned = turned(shape, start, g, tokens);
        long valuesApart = (long) shape.tokens() * shape.keyValueHeads() * d * Lanes.FLOAT_BYTES;
        return new Head(
                row + (long) h * d * Lanes.FLOAT_BYTES,
                row + (long) (shape.heads() + g) * d * Lanes.FLOAT_BYTES,
                row + (long) (shape.heads() + shape.keyValueHeads() + g) * d * Lanes.FLOAT_BYTES,
                turned,
                turned + valuesApart,
                tokens);
    }

    /** Where the turned keys [D, tokens] of a sequence and key/value head lie; values likewise behind those of all. */
    private long turned(AttentionShape shape, int start, int g, int tokens) {
        long before = (long) start * shape.keyValueHeads() + (long) g * tokens;
        return transposes.address(2L * shape.tokens() * shape.keyValueHeads() * shape.headSize() * Lanes.FLOAT_BYTES)
                + before * shape.headSize() * Lanes.FLOAT_BYTES;
    }

    private void turn(long heads, AttentionShape shape, boolean valuesToo) {
        int sequences = shape.starts().length - 1;
        int g = shape.keyValueHeads();
        int d = shape.headSize();
        long stride = shape.stride() * Lanes.FLOAT_BYTES;
        long unused = turned(shape, 0, 0, 0);
        team.run(sequences * g * (valuesToo ? 2 : 1), (task, member) -> {
            boolean values = task >= sequences * g;
            int sequence = task % (sequences * g) / g;
            int keyHead = task % g;
            Head head = head(heads, shape, sequence, keyHead * (shape.heads() / g));
            if (values) {
                transpose(head.values, stride, head.tokens, d, head.valuesTurned);
            } else {
                transpose(head.keys, stride, head.tokens, d, head.keysTurned);
            }
        });
    }

    /** [rows, columns] with rows {@code stride} bytes apart to [columns, rows]. */
    static void transpose(long from, long stride, int rows, int columns, long to) {
        for (int r = 0; r < rows; r += 8) {
            int end = Math.min(rows, r + 8);
            for (int c = 0; c < columns; c++) {
                long at = to + ((long) c * rows + r) * Lanes.FLOAT_BYTES;
                long in = from + r * stride + c * Lanes.FLOAT_BYTES;
                for (int i = r; i < end; i++) {
                    Lanes.setFloat(at, Lanes.getFloat(in));
                    at += Lanes.FLOAT_BYTES;
                    in += stride;
                }
            }
        }
    }

    /** Pairs: the sequence of each tile, and its first token. */
    private static int[] tileStarts(int[] starts) {
        int tiles = 0;
        for (int s = 0; s + 1 < starts.length; s++) {
            tiles += Math.ceilDiv(starts[s + 1] - starts[s], TILE);
        }
        int[] result = new int[2 * tiles];
        for (int s = 0, i = 0; s + 1 < starts.length; s++) {
            for (int t = starts[s]; t < starts[s + 1]; t += TILE) {
                result[i++] = s;
                result[i++] = t;
            }
        }
        return result;
    }
}
