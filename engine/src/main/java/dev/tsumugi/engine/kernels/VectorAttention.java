package dev.tsumugi.engine.kernels;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Attention over a paged cache in one pass with a running maximum and sum (Milakov and Gimelshein, arXiv 1805.02867; Dao et al., arXiv
 * 2205.14135). A task is a tile of neighbouring tokens of one sequence and some of the query heads that share a key/value head; its rows read
 * each cache block once. Every row takes the blocks in the same order and with the same operations, whatever rows it shares the tile with.
 */
final class VectorAttention implements AutoCloseable {
    private static final int TILE_TOKENS = 16;

    private final ThreadTeam team;
    private final Scratch[] scratch;

    VectorAttention(ThreadTeam team) {
        this.team = team;
        scratch = new Scratch[team.size()];
        for (int i = 0; i < scratch.length; i++) {
            scratch[i] = new Scratch();
        }
    }

    void run(
            long out,
            long queries,
            VectorCache cache,
            int layer,
            HostBatchPlan plan,
            int heads,
            int window,
            float scale) {
        int[] tileStarts = plan.tileStarts(TILE_TOKENS);
        int tiles = tileStarts.length - 1;
        int groupHeads = heads / cache.keyValueHeads();
        // Fewer tasks than threads, as in decoding one sequence, would leave some idle: then every head is a task.
        boolean split = tiles * cache.keyValueHeads() < team.size();
        int taskHeads = split ? 1 : groupHeads;
        int parts = heads / taskHeads;
        team.run(tiles * parts, (task, member) -> {
            int tile = task / parts;
            int firstHead = task % parts * taskHeads;
            new Tile(
                            cache,
                            layer,
                            plan,
                            tileStarts[tile],
                            tileStarts[tile + 1],
                            firstHead,
                            taskHeads,
                            firstHead / groupHeads,
                            heads,
                            window,
                            scratch[member])
                    .run(out, queries, scale);
        });
    }

    @Override
    public void close() {
        for (Scratch memory : scratch) {
            memory.close();
        }
    }

    /** One task. Row r is token {@code firstToken + r / taskHeads} and head {@code firstHead + r % taskHeads}. */
    private static final class Tile {
        private final VectorCache cache;
        private final int layer;
        private final HostBatchPlan plan;
        private final int firstToken;
        private final int firstHead;
        private final int taskHeads;
        private final int keyValueHead;
        private final int heads;
        private final int window;
        private final int rows;
        /** Rows with those that fill up the last four: four at a time hide the latency of sums, and cost less than three singly. */
        private final int paddedRows;

        private final int headSize;
        private final int valueStride;
        private final int slotStride;

        /** [rows][D], scaled. */
        private final long query;
        /** [rows][slots]. */
        private final long scores;
        /** [rows][D padded], not yet divided by the sums. */
        private final long sums;
        /** [rows] each: running maximum, running sum of weights, and what this block's maximum scales earlier sums by. */
        private final long maximums;

        private final long totals;
        private final long corrections;
        private final long wideKeys;
        private final long wideValues;

        Tile(
                VectorCache cache,
                int layer,
                HostBatchPlan plan,
                int firstToken,
                int endToken,
                int firstHead,
                int taskHeads,
                int keyValueHead,
                int heads,
                int window,
                Scratch scratch) {
            this.cache = cache;
            this.layer = layer;
            this.plan = plan;
            this.firstToken = firstToken;
            this.firstHead = firstHead;
            this.taskHeads = taskHeads;
            this.keyValueHead = keyValueHead;
            this.heads = heads;
            this.window = window;
            rows = (endToken - firstToken) * taskHeads;
            paddedRows = rows == 1 ? 1 : rows + 3 & -4;
            headSize = cache.headSize();
            valueStride = cache.valueStride();
            slotStride = cache.slotStride();
            long wide = cache.isBFloat16() ? cache.keyElements() + cache.valueElements() : 0;
            long floats = wide + (long) paddedRows * (valueStride + slotStride + VectorCache.padded(headSize) + 3);
            long base = scratch.address(floats * Lanes.FLOAT_BYTES);
            sums = base;
            scores = sums + (long) paddedRows * valueStride * Lanes.FLOAT_BYTES;
            wideKeys = scores + (long) paddedRows * slotStride * Lanes.FLOAT_BYTES;
            wideValues = wideKeys + (wide == 0 ? 0 : cache.keyElements() * Lanes.FLOAT_BYTES);
            query = wideValues + (wide == 0 ? 0 : cache.valueElements() * Lanes.FLOAT_BYTES);
            maximums = query + (long) paddedRows * headSize * Lanes.FLOAT_BYTES;
            totals = maximums + paddedRows * Lanes.FLOAT_BYTES;
            corrections = totals + paddedRows * Lanes.FLOAT_BYTES;
        }

        void run(long out, long queries, float scale) {
            begin(queries, scale);
            int firstPosition = plan.positions[firstToken];
            int lastPosition = firstPosition + rows / taskHeads - 1;
            int from = firstVisible(firstPosition);
            for (int b = from / plan.blockTokens; b <= lastPosition / plan.blockTokens; b++) {
                int base = b * plan.blockTokens;
                int slots = Math.min(plan.blockTokens, lastPosition - base + 1);
                int block = plan.block(plan.sequences[firstToken], base);
                long keys = cache.keys(layer, block, keyValueHead);
                long values = cache.values(layer, block, keyValueHead);
                if (cache.isBFloat16()) {
                    keys = widen(keys, cache.keyElements(), wideKeys);
                    values = widen(values, (long) slots * valueStride, wideValues);
                }
                score(keys, slots);
                for (int r = 0; r < rows; r++) {
                    int position = firstPosition + r / taskHeads;
                    weigh(r, Math.max(0, firstVisible(position) - base), Math.min(slots, position - base + 1));
                }
                gather(values, slots);
            }
            finish(out);
        }

        private int firstVisible(int position) {
            return window == 0 ? 0 : Math.max(0, position - window + 1);
        }

        private long element(int row) {
            int token = firstToken + row / taskHeads;
            return ((long) token * heads + firstHead + row % taskHeads) * headSize * Lanes.FLOAT_BYTES;
        }

        private void begin(long queries, float scale) {
            Lanes.zero(sums, (long) paddedRows * valueStride * Lanes.FLOAT_BYTES);
            Lanes.zero(scores, (long) paddedRows * slotStride * Lanes.FLOAT_BYTES);
            Lanes.zero(query, (long) paddedRows * headSize * Lanes.FLOAT_BYTES);
            Lanes.zero(corrections, paddedRows * Lanes.FLOAT_BYTES);
            for (int r = 0; r < rows; r++) {
                long from = queries + element(r);
                long to = query + (long) r * headSize * Lanes.FLOAT_BYTES;
                for (int d = 0; d < headSize; d++) {
                    Lanes.setFloat(to + d * Lanes.FLOAT_BYTES, scale * Lanes.getFloat(from + d * Lanes.FLOAT_BYTES));
                }
                Lanes.setFloat(maximums + r * Lanes.FLOAT_BYTES, Float.NEGATIVE_INFINITY);
                Lanes.setFloat(totals + r * Lanes.FLOAT_BYTES, 0);
            }
        }

        private static long widen(long from, long elements, long to) {
            for (long i = 0; i < elements; i += Lanes.L) {
                Lanes.store(Lanes.loadBFloat16(from + i * Short.BYTES), to + i * Lanes.FLOAT_BYTES);
            }
            return to;
        }

        /** {@code scores[r, s] = query[r] . key[s]}. */
        private void score(long keys, int slots) {
            long rowBytes = headSize * Lanes.FLOAT_BYTES;
            long scoreBytes = slotStride * Lanes.FLOAT_BYTES;
            for (int s = 0; s < slots; s += Lanes.L) {
                long column = keys + s * Lanes.FLOAT_BYTES;
                long to = scores + s * Lanes.FLOAT_BYTES;
                int r = 0;
                for (; r + 4 <= paddedRows; r += 4) {
                    scoreFour(query + r * rowBytes, rowBytes, column, scoreBytes, headSize, to + r * scoreBytes);
                }
                for (; r < paddedRows; r++) {
                    scoreOne(query + r * rowBytes, column, scoreBytes, headSize, to + r * scoreBytes);
                }
            }
        }

        private static void scoreFour(long q, long rowBytes, long keys, long stride, int headSize, long to) {
            FloatVector dot0 = FloatVector.zero(Lanes.F);
            FloatVector dot1 = dot0;
            FloatVector dot2 = dot0;
            FloatVector dot3 = dot0;
            for (int d = 0; d < headSize; d++) {
                FloatVector key = Lanes.load(keys + d * stride);
                long at = q + d * Lanes.FLOAT_BYTES;
                dot0 = key.fma(FloatVector.broadcast(Lanes.F, Lanes.getFloat(at)), dot0);
                dot1 = key.fma(FloatVector.broadcast(Lanes.F, Lanes.getFloat(at + rowBytes)), dot1);
                dot2 = key.fma(FloatVector.broadcast(Lanes.F, Lanes.getFloat(at + 2 * rowBytes)), dot2);
                dot3 = key.fma(FloatVector.broadcast(Lanes.F, Lanes.getFloat(at + 3 * rowBytes)), dot3);
            }
            Lanes.store(dot0, to);
            Lanes.store(dot1, to + stride);
            Lanes.store(dot2, to + 2 * stride);
            Lanes.store(dot3, to + 3 * stride);
        }

        private static void scoreOne(long q, long keys, long stride, int headSize, long to) {
            FloatVector dot = FloatVector.zero(Lanes.F);
            for (int d = 0; d < headSize; d++) {
                FloatVector key = Lanes.load(keys + d * stride);
                dot = key.fma(FloatVector.broadcast(Lanes.F, Lanes.getFloat(q + d * Lanes.FLOAT_BYTES)), dot);
            }
            Lanes.store(dot, to);
        }

        /** Turns the scores of slots {@code from} until {@code to} into weights, those of other slots into 0. */
        private void weigh(int row, int from, int to) {
            long at = scores + (long) row * slotStride * Lanes.FLOAT_BYTES;
            long correction = corrections + row * Lanes.FLOAT_BYTES;
            if (from >= to) {
                Lanes.zero(at, slotStride * Lanes.FLOAT_BYTES);
                Lanes.setFloat(correction, 1);
                return;
            }
            hide(at, 0, from);
            hide(at, to, slotStride);
            long maximum = maximums + row * Lanes.FLOAT_BYTES;
            long total = totals + row * Lanes.FLOAT_BYTES;
            float before = Lanes.getFloat(maximum);
            float now = Math.max(before, maximum(at, slotStride));
            float factor = (float) Math.exp(before - now);
            float sum = exponentiate(at, slotStride, now);
            Lanes.setFloat(correction, factor);
            Lanes.setFloat(maximum, now);
            Lanes.setFloat(total, Lanes.getFloat(total) * factor + sum);
        }

        private static void hide(long scores, int from, int to) {
            for (int s = from; s < to; s++) {
                Lanes.setFloat(scores + s * Lanes.FLOAT_BYTES, Float.NEGATIVE_INFINITY);
            }
        }

        private static float maximum(long scores, int slots) {
            FloatVector largest = Lanes.load(scores);
            for (int s = Lanes.L; s < slots; s += Lanes.L) {
                largest = largest.max(Lanes.load(scores + s * Lanes.FLOAT_BYTES));
            }
            return largest.reduceLanes(VectorOperators.MAX);
        }

        /** Each score becomes {@code exp(score - maximum)}; returns their sum. */
        private static float exponentiate(long scores, int slots, float maximum) {
            FloatVector sum = FloatVector.zero(Lanes.F);
            for (int s = 0; s < slots; s += Lanes.L) {
                long at = scores + s * Lanes.FLOAT_BYTES;
                FloatVector weight = VectorMath.exp(Lanes.load(at).sub(maximum));
                Lanes.store(weight, at);
                sum = sum.add(weight);
            }
            return Lanes.sum(sum);
        }

        /** {@code sums[r] = sums[r] * correction[r] + sum over slots of weight[r, s] * value[s]}. */
        private void gather(long values, int slots) {
            long sumBytes = valueStride * Lanes.FLOAT_BYTES;
            long weightBytes = slotStride * Lanes.FLOAT_BYTES;
            for (int d = 0; d < valueStride; d += Lanes.L) {
                long column = values + d * Lanes.FLOAT_BYTES;
                long to = sums + d * Lanes.FLOAT_BYTES;
                int r = 0;
                for (; r + 4 <= paddedRows; r += 4) {
                    gatherFour(
                            scores + r * weightBytes,
                            weightBytes,
                            column,
                            sumBytes,
                            slots,
                            to + r * sumBytes,
                            corrections + r * Lanes.FLOAT_BYTES);
                }
                for (; r < paddedRows; r++) {
                    gatherOne(
                            scores + r * weightBytes,
                            column,
                            sumBytes,
                            slots,
                            to + r * sumBytes,
                            corrections + r * Lanes.FLOAT_BYTES);
                }
            }
        }

        private static void gatherFour(
                long weights, long weightBytes, long values, long stride, int slots, long to, long corrections) {
            FloatVector sum0 = Lanes.load(to).mul(Lanes.getFloat(corrections));
            FloatVector sum1 = Lanes.load(to + stride).mul(Lanes.getFloat(corrections + Lanes.FLOAT_BYTES));
            FloatVector sum2 = Lanes.load(to + 2 * stride).mul(Lanes.getFloat(corrections + 2 * Lanes.FLOAT_BYTES));
            FloatVector sum3 = Lanes.load(to + 3 * stride).mul(Lanes.getFloat(corrections + 3 * Lanes.FLOAT_BYTES));
            for (int s = 0; s < slots; s++) {
                FloatVector value = Lanes.load(values + s * stride);
                long at = weights + s * Lanes.FLOAT_BYTES;
                sum0 = value.fma(FloatVector.broadcast(Lanes.F, Lanes.getFloat(at)), sum0);
                sum1 = value.fma(FloatVector.broadcast(Lanes.F, Lanes.getFloat(at + weightBytes)), sum1);
                sum2 = value.fma(FloatVector.broadcast(Lanes.F, Lanes.getFloat(at + 2 * weightBytes)), sum2);
                sum3 = value.fma(FloatVector.broadcast(Lanes.F, Lanes.getFloat(at + 3 * weightBytes)), sum3);
            }
            Lanes.store(sum0, to);
            Lanes.store(sum1, to + stride);
            Lanes.store(sum2, to + 2 * stride);
            Lanes.store(sum3, to + 3 * stride);
        }

        private static void gatherOne(long weights, long values, long stride, int slots, long to, long correction) {
            FloatVector sum = Lanes.load(to).mul(Lanes.getFloat(correction));
            for (int s = 0; s < slots; s++) {
                FloatVector value = Lanes.load(values + s * stride);
                sum = value.fma(FloatVector.broadcast(Lanes.F, Lanes.getFloat(weights + s * Lanes.FLOAT_BYTES)), sum);
            }
            Lanes.store(sum, to);
        }

        private void finish(long out) {
            for (int r = 0; r < rows; r++) {
                float inverse = 1 / Lanes.getFloat(totals + r * Lanes.FLOAT_BYTES);
                long from = sums + (long) r * valueStride * Lanes.FLOAT_BYTES;
                long to = out + element(r);
                for (int d = 0; d < headSize; d += Lanes.L) {
                    FloatVector value = Lanes.load(from + d * Lanes.FLOAT_BYTES).mul(inverse);
                    Lanes.store(value, to + d * Lanes.FLOAT_BYTES, headSize - d);
                }
            }
        }
    }
}
