package dev.tsumugi.engine.onednn;

import dev.tsumugi.engine.kernels.AttentionRows;
import dev.tsumugi.engine.kernels.BFloat16;
import dev.tsumugi.engine.kernels.ThreadTeam;
import dev.tsumugi.engine.kernels.TrainingKernels.AttentionShape;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Attention of training, forward and backward, with factors in bfloat16 and sums and softmax in fp32. A tile is some neighbouring queries of one
 * head against the keys that they see, a piece of those at a time. The backward pass computes the probabilities anew from the saved logarithms
 * of their sums (Dao et al., arXiv 2205.14135).
 *
 * <p>Queries, keys and values are copied with zeros behind each sequence up to a multiple of {@link #GRAIN} tokens, so that few shapes of products
 * serve all lengths.
 */
final class AttentionByOneDnn implements AutoCloseable {
    private static final int GRAIN = 32;
    /** Queries of a tile. */
    private static final int ROWS = 2 * GRAIN;
    /** Keys of a piece: as many as a tile's scores, their slopes and both in bfloat16 fit the second-level cache with. */
    private static final int PIECE = 16 * GRAIN;
    /** Elements from one row of scores to the next: not a power of two, whose rows would share few lines of the cache. */
    private static final int SCORE_STRIDE = PIECE + GRAIN;
    /** Parts of a sequence's queries in the backward pass, so that few heads keep all threads busy. */
    private static final int PARTS = 2;

    private static final long FLOAT = Float.BYTES;
    private static final long HALF = Short.BYTES;
    private static final long SCORES = ROWS * SCORE_STRIDE * FLOAT;
    private static final long WEIGHTS = ROWS * SCORE_STRIDE * HALF;

    private final OneDnnLibrary library;
    private final ThreadTeam team;
    private final Worker[] workers;
    private final AttentionRows attentionRows = new AttentionRows();
    private final Room rounded = new Room();
    private final Room roundedSlopes = new Room();
    private final Room parts = new Room();

    AttentionByOneDnn(OneDnnLibrary library, ThreadTeam team, Worker[] workers) {
        this.library = library;
        this.team = team;
        this.workers = workers;
    }

    /**
     * Where sequences lie in the rounded copies.
     *
     * @param starts [S + 1] first row of each sequence, and their number
     * @param tokens [rows] which token a row is, or -1
     * @param tiles pairs: the sequence of each tile, and its first query there
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record Layout(int[] starts, int[] tokens, int[] tiles) {
        static Layout of(AttentionShape shape) {
            int sequences = shape.starts().length - 1;
            int[] starts = new int[sequences + 1];
            int tiles = 0;
            for (int s = 0; s < sequences; s++) {
                int length = shape.starts()[s + 1] - shape.starts()[s];
                starts[s + 1] = starts[s] + Math.ceilDiv(length, GRAIN) * GRAIN;
                tiles += Math.ceilDiv(length, ROWS);
            }
            int[] tokens = new int[starts[sequences]];
            int[] pairs = new int[2 * tiles];
            for (int s = 0, i = 0; s < sequences; s++) {
                int length = shape.starts()[s + 1] - shape.starts()[s];
                for (int r = 0; r < starts[s + 1] - starts[s]; r++) {
                    tokens[starts[s] + r] = r < length ? shape.starts()[s] + r : -1;
                }
                for (int first = 0; first < length; first += ROWS) {
                    pairs[i++] = s;
                    pairs[i++] = first;
                }
            }
            return new Layout(starts, tokens, pairs);
        }

        int rows() {
            return tokens.length;
        }

        int length(int sequence) {
            return starts[sequence + 1] - starts[sequence];
        }
    }

    /** As {@link dev.tsumugi.engine.kernels.TrainingKernels#attention}, by addresses. */
    void forward(long out, long logSums, long heads, AttentionShape shape) {
        Layout layout = Layout.of(shape);
        long copy = round(heads, shape.stride(), layout, rounded);
        int tiles = layout.tiles.length / 2;
        team.run(tiles * shape.heads(), (task, member) -> {
            library.stayOnThisThread();
            // Later tiles see more and take longer; begun first, they do not end last.
            int tile = tiles - 1 - task / shape.heads();
            forwardTile(
                    out,
                    logSums,
                    copy,
                    shape,
                    layout,
                    layout.tiles[2 * tile],
                    layout.tiles[2 * tile + 1],
                    task % shape.heads(),
                    workers[member]);
        });
    }

    private void forwardTile(
            long out,
            long logSums,
            long heads,
            AttentionShape shape,
            Layout layout,
            int sequence,
            int first,
            int h,
            Worker worker) {
        int d = shape.headSize();
        int stride = shape.stride();
        int rows = Math.min(ROWS, layout.length(sequence) - first);
        int seen = first + rows;
        int pieces = Math.ceilDiv(seen, PIECE);
        long row = heads + layout.starts[sequence] * stride * HALF;
        long queries = row + ((long) first * stride + (long) h * d) * HALF;
        long keys = row + (long) (shape.heads() + keyValueHead(shape, h)) * d * HALF;
        long values = keys + (long) shape.keyValueHeads() * d * HALF;
        long scores = worker.room(pieces * (SCORES + WEIGHTS) + (long) ROWS * (d + 1) * FLOAT)
                .address();
        long weights = scores + pieces * SCORES;
        long sums = weights + pieces * WEIGHTS;
        long totals = sums + (long) ROWS * d * FLOAT;
        for (int p = 0; p < pieces; p++) {
            int columns = Math.min(PIECE, seen - p * PIECE);
            worker.product(new Product.Plain(rows, d, columns, stride, 1, 1, stride, SCORE_STRIDE, false))
                    .run(queries, keys + (long) p * PIECE * stride * HALF, scores + p * SCORES);
        }
        int start = shape.starts()[sequence];
        int tokens = Math.min(rows, shape.starts()[sequence + 1] - start - first);
        for (int r = 0; r < tokens; r++) {
            int position = first + r;
            float logSum = attentionRows.softmax(
                    scores + r * SCORE_STRIDE * FLOAT,
                    SCORES,
                    weights + r * SCORE_STRIDE * HALF,
                    WEIGHTS,
                    PIECE,
                    lowest(shape, position),
                    position + 1,
                    seen,
                    shape.scale(),
                    totals + r * FLOAT);
            setFloat(logSums + ((long) (start + position) * shape.heads() + h) * FLOAT, logSum);
        }
        for (int p = 0; p < pieces; p++) {
            int columns = Math.min(PIECE, seen - p * PIECE);
            worker.product(new Product.Plain(rows, columns, d, SCORE_STRIDE, 1, stride, 1, d, p > 0))
                    .run(weights + p * WEIGHTS, values + (long) p * PIECE * stride * HALF, sums);
        }
        for (int r = 0; r < tokens; r++) {
            long to = out + ((long) (start + first + r) * shape.heads() + h) * d * FLOAT;
            AttentionRows.scale(sums + (long) r * d * FLOAT, to, d, 1 / getFloat(totals + r * FLOAT));
        }
    }

    /** As {@link dev.tsumugi.engine.kernels.TrainingKernels#attentionBackward}, by addresses. */
    void backward(long dHeads, long dOut, long out, long logSums, long heads, AttentionShape shape) {
        Layout layout = Layout.of(shape);
        int d = shape.headSize();
        int h = shape.heads();
        long copy = round(heads, shape.stride(), layout, rounded);
        long copyOfSlopes = round(dOut, h * d, layout, roundedSlopes);
        // Keys and values are shared by heads and by queries: each part of each head sums for itself, in [2, H, PARTS,
        // rows, D].
        long partBytes = (long) layout.rows() * d * FLOAT;
        long dKeys = parts.of(2 * PARTS * h * partBytes).address();
        long dValues = dKeys + PARTS * h * partBytes;
        int sequences = layout.starts.length - 1;
        team.run(PARTS * sequences * h, (task, member) -> {
            library.stayOnThisThread();
            int sequence = task / PARTS / h;
            int head = task / PARTS % h;
            int part = task % PARTS;
            long own = (head * PARTS + part) * partBytes + (long) layout.starts[sequence] * d * FLOAT;
            backwardPart(
                    new Slopes(dHeads, dKeys + own, dValues + own, dOut, copyOfSlopes),
                    out,
                    logSums,
                    copy,
                    shape,
                    layout,
                    sequence,
                    head,
                    part,
                    workers[member]);
        });
        int group = h / shape.keyValueHeads();
        team.run(Math.ceilDiv(layout.rows(), GRAIN), (task, member) -> {
            for (int row = task * GRAIN; row < (task + 1) * GRAIN && layout.tokens[row] >= 0; row++) {
                long to = dHeads + ((long) layout.tokens[row] * shape.stride() + (long) h * d) * FLOAT;
                for (int g = 0; g < shape.keyValueHeads(); g++) {
                    long from = (long) g * group * PARTS * partBytes + (long) row * d * FLOAT;
                    long key = to + (long) g * d * FLOAT;
                    AttentionRows.sum(dKeys + from, partBytes, group * PARTS, key, d);
                    AttentionRows.sum(
                            dValues + from,
                            partBytes,
                            group * PARTS,
                            key + (long) shape.keyValueHeads() * d * FLOAT,
                            d);
                }
            }
        });
    }

    /**
     * Addresses of gradients.
     *
     * @param keys of one part of one head of one sequence; likewise {@code values}
     * @param rounded {@code out} in bfloat16
     */
    private record Slopes(long heads, long keys, long values, long out, long rounded) {}

    /** First query of a part of a sequence: later ones see more keys, so the first part has seven in ten of them. */
    private static int partStart(int part, int length) {
        return switch (part) {
            case 0 -> 0;
            case 1 -> Math.min(length, (int) Math.round(length * Math.sqrt(0.5) / ROWS) * ROWS);
            default -> length;
        };
    }

    private void backwardPart(
            Slopes slopesTo,
            long out,
            long logSums,
            long heads,
            AttentionShape shape,
            Layout layout,
            int sequence,
            int h,
            int part,
            Worker worker) {
        int d = shape.headSize();
        int stride = shape.stride();
        int outStride = shape.heads() * d;
        int length = layout.length(sequence);
        int start = shape.starts()[sequence];
        long row = heads + layout.starts[sequence] * stride * HALF;
        long queries = row + (long) h * d * HALF;
        long keys = row + (long) (shape.heads() + keyValueHead(shape, h)) * d * HALF;
        long values = keys + (long) shape.keyValueHeads() * d * HALF;
        long roundedOut = slopesTo.rounded + ((long) layout.starts[sequence] * outStride + (long) h * d) * HALF;
        AttentionRows.clear(slopesTo.keys, length * d * FLOAT);
        AttentionRows.clear(slopesTo.values, length * d * FLOAT);
        long scores = worker.room(2 * SCORES + 2 * WEIGHTS + (long) ROWS * (d + 1) * FLOAT)
                .address();
        long slopes = scores + SCORES;
        long weights = slopes + SCORES;
        long scoreSlopes = weights + WEIGHTS;
        long dQueries = scoreSlopes + WEIGHTS;
        long shared = dQueries + (long) ROWS * d * FLOAT;
        for (int first = partStart(part, length); first < partStart(part + 1, length); first += ROWS) {
            int rows = Math.min(ROWS, length - first);
            int tokens = Math.min(rows, shape.starts()[sequence + 1] - start - first);
            long query = queries + (long) first * stride * HALF;
            long dRow = roundedOut + (long) first * outStride * HALF;
            for (int r = 0; r < tokens; r++) {
                long at = ((long) (start + first + r) * outStride + (long) h * d) * FLOAT;
                setFloat(shared + r * FLOAT, AttentionRows.dot(slopesTo.out + at, out + at, d));
            }
            for (int from = 0; from < first + rows; from += PIECE) {
                int columns = Math.min(PIECE, first + rows - from);
                long key = keys + (long) from * stride * HALF;
                long value = values + (long) from * stride * HALF;
                worker.product(new Product.Plain(rows, d, columns, stride, 1, 1, stride, SCORE_STRIDE, false))
                        .run(query, key, scores);
                worker.product(new Product.Plain(rows, d, columns, outStride, 1, 1, stride, SCORE_STRIDE, false))
                        .run(dRow, value, slopes);
                for (int r = 0; r < tokens; r++) {
                    int position = first + r;
                    attentionRows.softmaxBackward(
                            scores + r * SCORE_STRIDE * FLOAT,
                            slopes + r * SCORE_STRIDE * FLOAT,
                            weights + r * SCORE_STRIDE * HALF,
                            scoreSlopes + r * SCORE_STRIDE * HALF,
                            lowest(shape, position) - from,
                            position + 1 - from,
                            columns,
                            shape.scale(),
                            getFloat(logSums + ((long) (start + position) * shape.heads() + h) * FLOAT),
                            getFloat(shared + r * FLOAT));
                }
                for (int r = tokens; r < rows; r++) {
                    AttentionRows.clear(weights + r * SCORE_STRIDE * HALF, columns * HALF);
                    AttentionRows.clear(scoreSlopes + r * SCORE_STRIDE * HALF, columns * HALF);
                }
                // dV += P^T dO, dK += dS^T Q, dQ += dS K
                long done = (long) from * d * FLOAT;
                worker.product(new Product.Plain(columns, rows, d, 1, SCORE_STRIDE, outStride, 1, d, true))
                        .run(weights, dRow, slopesTo.values + done);
                worker.product(new Product.Plain(columns, rows, d, 1, SCORE_STRIDE, stride, 1, d, true))
                        .run(scoreSlopes, query, slopesTo.keys + done);
                worker.product(new Product.Plain(rows, columns, d, SCORE_STRIDE, 1, stride, 1, d, from > 0))
                        .run(scoreSlopes, key, dQueries);
            }
            for (int r = 0; r < tokens; r++) {
                long to = slopesTo.heads + ((long) (start + first + r) * stride + (long) h * d) * FLOAT;
                MemorySegment.copy(ALL, dQueries + (long) r * d * FLOAT, ALL, to, d * FLOAT);
            }
        }
    }

    private static int keyValueHead(AttentionShape shape, int h) {
        return h / (shape.heads() / shape.keyValueHeads());
    }

    private static int lowest(AttentionShape shape, int position) {
        return shape.window() == 0 ? 0 : Math.max(0, position + 1 - shape.window());
    }

    /** fp32 [T, width] in bfloat16, sequences apart, with rows of zeros between. */
    private long round(long x, int width, Layout layout, Room room) {
        long to = room.of(layout.rows() * width * HALF).address();
        team.run(layout.rows() / GRAIN, (task, member) -> {
            for (int row = task * GRAIN; row < (task + 1) * GRAIN; row++) {
                long at = to + (long) row * width * HALF;
                int token = layout.tokens[row];
                if (token >= 0) {
                    BFloat16.round(x + (long) token * width * FLOAT, at, width);
                } else {
                    AttentionRows.clear(at, width * HALF);
                }
            }
        });
        return to;
    }

    private static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

    private static float getFloat(long address) {
        return ALL.get(ValueLayout.JAVA_FLOAT, address);
    }

    private static void setFloat(long address, float value) {
        ALL.set(ValueLayout.JAVA_FLOAT, address, value);
    }

    @Override
    public void close() {
        rounded.close();
        roundedSlopes.close();
        parts.close();
    }
}
