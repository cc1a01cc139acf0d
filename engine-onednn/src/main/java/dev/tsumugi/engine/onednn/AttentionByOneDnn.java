package dev.tsumugi.engine.onednn;

import dev.tsumugi.engine.kernels.AttentionRows;
import dev.tsumugi.engine.kernels.BFloat16;
import dev.tsumugi.engine.kernels.ThreadTeam;
import dev.tsumugi.engine.kernels.TrainingKernels.AttentionShape;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Attention of training, forward and backward, with factors in bfloat16 and sums and softmax in fp32. A tile is the queries of some neighbouring
 * tokens, under all heads that share keys and values, against the keys that they see, a piece of those at a time. The backward pass computes the probabilities anew from the saved logarithms
 * of their sums (Dao et al., arXiv 2205.14135).
 *
 * <p>Queries, keys and values are copied with zeros behind each sequence up to a multiple of {@link #GRAIN} tokens, so that few shapes of products
 * serve all lengths.
 */
final class AttentionByOneDnn implements AutoCloseable {
    private static final int GRAIN = 32;
    /** Tokens of a tile. Its rows are their queries under all heads that share keys and values, which products then lay out once for all. */
    private static final int TOKENS = GRAIN;
    /** Keys of a piece: as many as a tile's scores, their slopes and both in bfloat16 fit the second-level cache with. */
    private static final int PIECE = 16 * GRAIN;
    /** Elements from one row of scores to the next: not a power of two, whose rows would share few lines of the cache. */
    private static final int SCORE_STRIDE = PIECE + GRAIN;
    /** Parts of a sequence's queries in the backward pass, so that few heads keep all threads busy. */
    private static final int PARTS = 2;

    private static final long FLOAT = Float.BYTES;
    private static final long HALF = Short.BYTES;
    /** Bytes from row to row. */
    private static final long SCORES = SCORE_STRIDE * FLOAT;

    private static final long WEIGHTS = SCORE_STRIDE * HALF;

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
                tiles += Math.ceilDiv(length, TOKENS);
            }
            int[] tokens = new int[starts[sequences]];
            int[] pairs = new int[2 * tiles];
            for (int s = 0, i = 0; s < sequences; s++) {
                int length = shape.starts()[s + 1] - shape.starts()[s];
                for (int r = 0; r < starts[s + 1] - starts[s]; r++) {
                    tokens[starts[s] + r] = r < length ? shape.starts()[s] + r : -1;
                }
                for (int first = 0; first < length; first += TOKENS) {
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

    /**
     * Queries, keys and values in bfloat16, of each key/value head apart: queries [G, rows, H / G, D], keys and values [G, rows, D], by address.
     */
    private record Rounded(long queries, long keys, long values) {}

    private Rounded round(long heads, AttentionShape shape, Layout layout) {
        int d = shape.headSize();
        int h = shape.heads();
        int g = shape.keyValueHeads();
        long queryBytes = (long) layout.rows() * h * d * HALF;
        long keyBytes = (long) layout.rows() * g * d * HALF;
        long queries = rounded.of(queryBytes + 2 * keyBytes).address();
        long keys = queries + queryBytes;
        round(heads, shape.stride(), g, h / g * d, queries, layout);
        round(heads + (long) h * d * FLOAT, shape.stride(), 2 * g, d, keys, layout);
        return new Rounded(queries, keys, keys + keyBytes);
    }

    /** Rounds the first {@code pieces} pieces of {@code width} elements of each token's row to [pieces, rows, width], with rows of zeros between sequences. */
    private void round(long x, int stride, int pieces, int width, long to, Layout layout) {
        team.run(layout.rows() / GRAIN, (task, member) -> {
            for (int row = task * GRAIN; row < (task + 1) * GRAIN; row++) {
                int token = layout.tokens[row];
                for (int p = 0; p < pieces; p++) {
                    long at = to + ((long) p * layout.rows() + row) * width * HALF;
                    if (token >= 0) {
                        BFloat16.round(x + ((long) token * stride + (long) p * width) * FLOAT, at, width);
                    } else {
                        AttentionRows.clear(at, width * HALF);
                    }
                }
            }
        });
    }

    /** As {@link dev.tsumugi.engine.kernels.TrainingKernels#attention}, by addresses. */
    void forward(long out, long logSums, long heads, AttentionShape shape) {
        Layout layout = Layout.of(shape);
        Rounded copy = round(heads, shape, layout);
        int tiles = layout.tiles.length / 2;
        team.run(tiles * shape.keyValueHeads(), (task, member) -> {
            library.stayOnThisThread();
            // Later tiles see more and take longer; begun first, they do not end last.
            int tile = tiles - 1 - task / shape.keyValueHeads();
            forwardTile(
                    out,
                    logSums,
                    copy,
                    shape,
                    layout,
                    layout.tiles[2 * tile],
                    layout.tiles[2 * tile + 1],
                    task % shape.keyValueHeads(),
                    workers[member]);
        });
    }

    private void forwardTile(
            long out,
            long logSums,
            Rounded heads,
            AttentionShape shape,
            Layout layout,
            int sequence,
            int first,
            int g,
            Worker worker) {
        int d = shape.headSize();
        int group = shape.heads() / shape.keyValueHeads();
        int rows = Math.min(TOKENS, layout.length(sequence) - first);
        int queryRows = rows * group;
        int seen = first + rows;
        int pieces = Math.ceilDiv(seen, PIECE);
        long row = (long) g * layout.rows() + layout.starts[sequence];
        long queries = heads.queries + (row + first) * group * d * HALF;
        long keys = heads.keys + row * d * HALF;
        long values = heads.values + row * d * HALF;
        long scores = worker.room(queryRows * (pieces * (SCORES + WEIGHTS) + (d + 1) * FLOAT))
                .address();
        long weights = scores + pieces * queryRows * SCORES;
        long sums = weights + pieces * queryRows * WEIGHTS;
        long totals = sums + (long) queryRows * d * FLOAT;
        for (int p = 0; p < pieces; p++) {
            int columns = Math.min(PIECE, seen - p * PIECE);
            worker.product(new Product.Plain(queryRows, d, columns, d, 1, 1, d, SCORE_STRIDE, false))
                    .run(queries, keys + (long) p * PIECE * d * HALF, scores + p * queryRows * SCORES);
        }
        int start = shape.starts()[sequence];
        int tokens = Math.min(rows, shape.starts()[sequence + 1] - start - first);
        for (int r = 0; r < tokens * group; r++) {
            int position = first + r / group;
            float logSum = attentionRows.softmax(
                    scores + r * SCORES,
                    queryRows * SCORES,
                    weights + r * WEIGHTS,
                    queryRows * WEIGHTS,
                    PIECE,
                    lowest(shape, position),
                    position + 1,
                    seen,
                    shape.scale(),
                    totals + r * FLOAT);
            setFloat(logSum(logSums, shape, start + position, g * group + r % group), logSum);
        }
        for (int p = 0; p < pieces; p++) {
            int columns = Math.min(PIECE, seen - p * PIECE);
            worker.product(new Product.Plain(queryRows, columns, d, SCORE_STRIDE, 1, d, 1, d, p > 0))
                    .run(weights + p * queryRows * WEIGHTS, values + (long) p * PIECE * d * HALF, sums);
        }
        for (int r = 0; r < tokens * group; r++) {
            long to = out + ((start + first + r / group) * (long) shape.heads() + g * group + r % group) * d * FLOAT;
            AttentionRows.scale(sums + (long) r * d * FLOAT, to, d, 1 / getFloat(totals + r * FLOAT));
        }
    }

    private static long logSum(long logSums, AttentionShape shape, int token, int head) {
        return logSums + ((long) token * shape.heads() + head) * FLOAT;
    }

    /** As {@link dev.tsumugi.engine.kernels.TrainingKernels#attentionBackward}, by addresses. */
    void backward(long dHeads, long dOut, long out, long logSums, long heads, AttentionShape shape) {
        Layout layout = Layout.of(shape);
        int d = shape.headSize();
        int h = shape.heads();
        int g = shape.keyValueHeads();
        Rounded copy = round(heads, shape, layout);
        long copyOfSlopes =
                roundedSlopes.of((long) layout.rows() * h * d * HALF).address();
        round(dOut, h * d, g, h / g * d, copyOfSlopes, layout);
        // Queries share keys and values: each part of each head sums for itself, in [2, G, PARTS, rows, D].
        long partBytes = (long) layout.rows() * d * FLOAT;
        long dKeys = parts.of(2 * PARTS * g * partBytes).address();
        long dValues = dKeys + PARTS * g * partBytes;
        int sequences = layout.starts.length - 1;
        team.run(PARTS * sequences * g, (task, member) -> {
            library.stayOnThisThread();
            // The part that takes longest is begun first, so that it does not end last.
            int part = PARTS - 1 - task / (sequences * g);
            int sequence = task / g % sequences;
            int head = task % g;
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
        team.run(Math.ceilDiv(layout.rows(), GRAIN), (task, member) -> {
            for (int row = task * GRAIN; row < (task + 1) * GRAIN && layout.tokens[row] >= 0; row++) {
                long to = dHeads + ((long) layout.tokens[row] * shape.stride() + (long) h * d) * FLOAT;
                for (int head = 0; head < g; head++) {
                    long from = (long) head * PARTS * partBytes + (long) row * d * FLOAT;
                    long key = to + (long) head * d * FLOAT;
                    AttentionRows.sum(dKeys + from, partBytes, PARTS, key, d);
                    AttentionRows.sum(dValues + from, partBytes, PARTS, key + (long) g * d * FLOAT, d);
                }
            }
        });
    }

    /**
     * Addresses of gradients.
     *
     * @param keys of one part of one head of one sequence; likewise {@code values}
     * @param rounded {@code out} in bfloat16, as queries are
     */
    private record Slopes(long heads, long keys, long values, long out, long rounded) {}

    /** First query of a part of a sequence: later ones see more keys, so the first part has seven in ten of them. */
    private static int partStart(int part, int length) {
        return switch (part) {
            case 0 -> 0;
            case 1 -> Math.min(length, (int) Math.round(length * Math.sqrt(0.5) / TOKENS) * TOKENS);
            default -> length;
        };
    }

    private void backwardPart(
            Slopes slopesTo,
            long out,
            long logSums,
            Rounded heads,
            AttentionShape shape,
            Layout layout,
            int sequence,
            int g,
            int part,
            Worker worker) {
        int d = shape.headSize();
        int group = shape.heads() / shape.keyValueHeads();
        int length = layout.length(sequence);
        int start = shape.starts()[sequence];
        long row = (long) g * layout.rows() + layout.starts[sequence];
        long keys = heads.keys + row * d * HALF;
        long values = heads.values + row * d * HALF;
        AttentionRows.clear(slopesTo.keys, length * d * FLOAT);
        AttentionRows.clear(slopesTo.values, length * d * FLOAT);
        long most = (long) TOKENS * group;
        long scores =
                worker.room(most * (2 * SCORES + 2 * WEIGHTS + (d + 1) * FLOAT)).address();
        long slopes = scores + most * SCORES;
        long weights = slopes + most * SCORES;
        long scoreSlopes = weights + most * WEIGHTS;
        long dQueries = scoreSlopes + most * WEIGHTS;
        long shared = dQueries + most * d * FLOAT;
        for (int first = partStart(part, length); first < partStart(part + 1, length); first += TOKENS) {
            int rows = Math.min(TOKENS, length - first);
            int queryRows = rows * group;
            int seenRows = Math.min(rows, shape.starts()[sequence + 1] - start - first) * group;
            long query = heads.queries + (row + first) * group * d * HALF;
            long dRow = slopesTo.rounded + (row + first) * group * d * HALF;
            for (int r = 0; r < seenRows; r++) {
                long at = ((start + first + r / group) * (long) shape.heads() + g * group + r % group) * d * FLOAT;
                setFloat(shared + r * FLOAT, AttentionRows.dot(slopesTo.out + at, out + at, d));
            }
            for (int from = 0; from < first + rows; from += PIECE) {
                int columns = Math.min(PIECE, first + rows - from);
                long key = keys + (long) from * d * HALF;
                long value = values + (long) from * d * HALF;
                Product product =
                        worker.product(new Product.Plain(queryRows, d, columns, d, 1, 1, d, SCORE_STRIDE, false));
                product.run(query, key, scores);
                product.run(dRow, value, slopes);
                for (int r = 0; r < seenRows; r++) {
                    int position = first + r / group;
                    attentionRows.softmaxBackward(
                            scores + r * SCORES,
                            slopes + r * SCORES,
                            weights + r * WEIGHTS,
                            scoreSlopes + r * WEIGHTS,
                            lowest(shape, position) - from,
                            position + 1 - from,
                            columns,
                            shape.scale(),
                            getFloat(logSum(logSums, shape, start + position, g * group + r % group)),
                            getFloat(shared + r * FLOAT));
                }
                for (int r = seenRows; r < queryRows; r++) {
                    AttentionRows.clear(weights + r * WEIGHTS, columns * HALF);
                    AttentionRows.clear(scoreSlopes + r * WEIGHTS, columns * HALF);
                }
                // dV += P^T dO, dK += dS^T Q, dQ += dS K
                long done = (long) from * d * FLOAT;
                Product turned =
                        worker.product(new Product.Plain(columns, queryRows, d, 1, SCORE_STRIDE, d, 1, d, true));
                turned.run(weights, dRow, slopesTo.values + done);
                turned.run(scoreSlopes, query, slopesTo.keys + done);
                worker.product(new Product.Plain(queryRows, columns, d, SCORE_STRIDE, 1, d, 1, d, from > 0))
                        .run(scoreSlopes, key, dQueries);
            }
            for (int r = 0; r < seenRows; r += group) {
                long to = slopesTo.heads
                        + ((long) (start + first + r / group) * shape.stride() + (long) g * group * d) * FLOAT;
                MemorySegment.copy(ALL, dQueries + (long) r * d * FLOAT, ALL, to, (long) group * d * FLOAT);
            }
        }
    }

    private static int lowest(AttentionShape shape, int position) {
        return shape.window() == 0 ? 0 : Math.max(0, position + 1 - shape.window());
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
