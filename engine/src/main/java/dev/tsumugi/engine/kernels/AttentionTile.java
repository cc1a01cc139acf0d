package dev.tsumugi.engine.kernels;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Attention of some tokens under query heads that share a key/value head. Row r is token {@code tokens[from + r / taskHeads]} and head {@code
 * firstHead + r % taskHeads}.
 *
 * <p>The cache is read by spans of blocks that begin at fixed positions, and every row takes them in the same order and with the same
 * operations, so its result does not depend on the rows it shares the tile with.
 *
 * <p>An object serves one thread, tile after tile: new ones would be nearly all that decoding allocates.
 */
final class AttentionTile {
    /** Slots whose scores are turned into weights together. */
    private static final int SPAN_SLOTS = 128;

    /**
     * What the tiles of one layer share.
     *
     * @param out [tokens, heads, D]
     * @param queries as {@code out}
     * @param taskHeads heads of a tile
     */
    record Layer(
            VectorCache cache,
            int layer,
            HostBatchPlan plan,
            long out,
            long queries,
            int heads,
            int taskHeads,
            int window,
            float scale) {}

    private final Scratch scratch;
    private Layer of;
    private int[] tokens = new int[0];
    private int from;
    private int firstHead;
    private int rows;
    /** Rows with those that fill up the last four: four at a time hide the latency of sums, and cost less than three singly. */
    private int paddedRows;

    private int headSize;
    private int valueStride;
    private int slotStride;
    private int spanBlocks;
    private long spanBytes;

    /** Keys and values are used as they are stored, in bfloat16; else {@link #keys} and {@link #values} are fp32. */
    private boolean direct;

    /** Addresses of keys and values of the blocks of the present span. */
    private long[] keys = new long[0];

    private long[] values = new long[0];

    /** [rows][D], scaled. */
    private long query;
    /** [rows][spanBlocks][slots]. */
    private long scores;
    /** [rows][D padded], not yet divided by the sums. */
    private long sums;
    /** [rows] each: running maximum, and running sum of weights. */
    private long maximums;

    private long totals;
    private long wideKeys;
    private long wideValues;

    /** @param first of the layers whose tiles are run */
    AttentionTile(Scratch scratch, Layer first) {
        this.scratch = scratch;
        of = first;
    }

    /** Blocks that are read before their scores become weights; where tiles may begin. */
    static int spanBlocks(int blockTokens) {
        return Math.max(1, SPAN_SLOTS / VectorCache.padded(blockTokens));
    }

    /** Begins with {@code tokens[from]} until {@code tokens[end]} and {@link Layer#taskHeads} heads from {@code head} on. */
    void begin(Layer layer, int[] tokens, int from, int end, int head) {
        arrange(layer, tokens, from, end, head);
        for (int r = 0; r < rows; r++) {
            long at = of.queries + element(r);
            long to = query + (long) r * headSize * Lanes.FLOAT_BYTES;
            for (int d = 0; d < headSize; d += Lanes.L) {
                FloatVector scaled =
                        Lanes.load(at + d * Lanes.FLOAT_BYTES, headSize - d).mul(of.scale);
                Lanes.store(scaled, to + d * Lanes.FLOAT_BYTES, headSize - d);
            }
            Lanes.setFloat(maximums + r * Lanes.FLOAT_BYTES, Float.NEGATIVE_INFINITY);
            Lanes.setFloat(totals + r * Lanes.FLOAT_BYTES, 0);
        }
    }

    /** Goes on with some of the tokens of another tile from where that one is, which was begun with all. */
    void takeFrom(AttentionTile all, int from, int end) {
        arrange(all.of, all.tokens, from, end, all.firstHead);
        int first = (from - all.from) * of.taskHeads;
        long queryBytes = headSize * Lanes.FLOAT_BYTES;
        long sumBytes = valueStride * Lanes.FLOAT_BYTES;
        Lanes.copy(all.query + first * queryBytes, query, rows * queryBytes);
        Lanes.copy(all.sums + first * sumBytes, sums, rows * sumBytes);
        Lanes.copy(all.maximums + first * Lanes.FLOAT_BYTES, maximums, rows * Lanes.FLOAT_BYTES);
        Lanes.copy(all.totals + first * Lanes.FLOAT_BYTES, totals, rows * Lanes.FLOAT_BYTES);
    }

    /** Finds out sizes, shares the scratch memory out, and clears what fills up rows. */
    private void arrange(Layer layer, int[] tokens, int from, int end, int head) {
        of = layer;
        this.tokens = tokens;
        this.from = from;
        firstHead = head;
        rows = (end - from) * layer.taskHeads;
        VectorCache cache = layer.cache;
        paddedRows = rows == 1 ? 1 : rows + 3 & -4;
        headSize = cache.headSize();
        valueStride = cache.valueStride();
        slotStride = cache.slotStride();
        spanBlocks = spanBlocks(cache.blockTokens());
        spanBytes = spanBlocks * slotStride * Lanes.FLOAT_BYTES;
        if (keys.length != spanBlocks) {
            keys = new long[spanBlocks];
            values = new long[spanBlocks];
        }
        direct = cache.isBFloat16() && paddedRows <= 4 && valueStride % (2 * Lanes.L) == 0;
        long wide = cache.isBFloat16() && !direct ? spanBlocks * (cache.keyElements() + cache.valueElements()) : 0;
        long rowBytes = (valueStride + VectorCache.padded(headSize) + 2) * Lanes.FLOAT_BYTES + spanBytes;
        sums = scratch.address(wide * Lanes.FLOAT_BYTES + paddedRows * rowBytes);
        scores = sums + (long) paddedRows * valueStride * Lanes.FLOAT_BYTES;
        wideKeys = scores + paddedRows * spanBytes;
        wideValues = wideKeys + (wide == 0 ? 0 : spanBlocks * cache.keyElements() * Lanes.FLOAT_BYTES);
        query = wideKeys + wide * Lanes.FLOAT_BYTES;
        maximums = query + (long) paddedRows * headSize * Lanes.FLOAT_BYTES;
        totals = maximums + paddedRows * Lanes.FLOAT_BYTES;
        Lanes.zero(sums, (long) paddedRows * valueStride * Lanes.FLOAT_BYTES);
        Lanes.zero(query, (long) paddedRows * headSize * Lanes.FLOAT_BYTES);
        Lanes.zero(scores, paddedRows * spanBytes);
    }

    /** Reads from the first block that is seen until the last one, and gives the result. */
    void readAll() {
        int first = firstVisible(position(0)) / of.plan.blockTokens / spanBlocks * spanBlocks;
        readOn(first);
    }

    /** Reads from {@code firstBlock}, where a span begins, until the last one that is seen, and gives the result. */
    void readOn(int firstBlock) {
        read(firstBlock, position(rows - 1) / of.plan.blockTokens + 1);
        finish();
    }

    /** Reads blocks, the first of which begins a span, through the first token's table. */
    void read(int firstBlock, int endBlock) {
        int blockTokens = of.plan.blockTokens;
        for (int block = firstBlock; block < endBlock; block += spanBlocks) {
            int blocks = Math.min(spanBlocks, endBlock - block);
            int base = block * blockTokens;
            load(base, blocks);
            score(blocks);
            for (int r = 0; r < rows; r++) {
                int position = position(r);
                int first = Math.max(0, firstVisible(position) - base);
                weigh(r, first, Math.min(blocks * blockTokens, position - base + 1), blocks);
            }
            gather(Math.min(blocks * blockTokens, position(rows - 1) - base + 1));
        }
    }

    private int position(int row) {
        return of.plan.positions[token(row)];
    }

    private int token(int row) {
        return tokens[from + row / of.taskHeads];
    }

    private int firstVisible(int position) {
        return of.window == 0 ? 0 : Math.max(0, position - of.window + 1);
    }

    private long element(int row) {
        return ((long) token(row) * of.heads + firstHead + row % of.taskHeads) * headSize * Lanes.FLOAT_BYTES;
    }

    /** Finds the blocks of a span, and widens them where they are stored in 16 bits. */
    private void load(int base, int blocks) {
        VectorCache cache = of.cache;
        int keyValueHead = firstHead / (of.heads / cache.keyValueHeads());
        int sequence = of.plan.sequences[token(0)];
        for (int b = 0; b < blocks; b++) {
            int block = of.plan.block(sequence, base + b * of.plan.blockTokens);
            keys[b] = cache.keys(of.layer, block, keyValueHead);
            values[b] = cache.values(of.layer, block, keyValueHead);
            if (cache.isBFloat16() && !direct) {
                long keyElements = cache.keyElements();
                long valueElements = cache.valueElements();
                keys[b] = widen(keys[b], keyElements, wideKeys + b * keyElements * Lanes.FLOAT_BYTES);
                values[b] = widen(values[b], valueElements, wideValues + b * valueElements * Lanes.FLOAT_BYTES);
            }
        }
    }

    private static long widen(long from, long elements, long to) {
        for (long i = 0; i < elements; i += Lanes.L) {
            Lanes.loadBFloat16(from + i * Short.BYTES)
                    .intoMemorySegment(Lanes.ALL, to + i * Lanes.FLOAT_BYTES, Lanes.ORDER);
        }
        return to;
    }

    /** {@code scores[r, s] = query[r] . key[s]} for whole vectors of slots. */
    private void score(int blocks) {
        if (paddedRows == 1) {
            scoreRow(blocks);
            return;
        }
        long rowBytes = headSize * Lanes.FLOAT_BYTES;
        long stride = slotStride * Lanes.FLOAT_BYTES;
        int keyBytes = direct ? Short.BYTES : (int) Lanes.FLOAT_BYTES;
        for (int b = 0; b < blocks; b++) {
            // Two blocks at a time share each load of a query; the other half of a pair may be missing.
            boolean pair = b + 1 < blocks;
            for (int s = 0; s < slotStride; s += Lanes.L) {
                long column = keys[b] + s * keyBytes;
                long next = pair ? keys[b + 1] + s * keyBytes : column;
                long to = scores + b * stride + s * Lanes.FLOAT_BYTES;
                long nextTo = pair ? to + stride : to;
                if (direct) {
                    BFloat16Rows.scoreFour(
                            query, rowBytes, column, next, slotStride * Short.BYTES, headSize, to, nextTo, spanBytes);
                    continue;
                }
                for (int r = 0; r < paddedRows; r += 4) {
                    scoreFour(
                            query + r * rowBytes,
                            rowBytes,
                            column,
                            next,
                            stride,
                            headSize,
                            to + r * spanBytes,
                            nextTo + r * spanBytes,
                            spanBytes);
                }
            }
            b += pair ? 1 : 0;
        }
    }

    private static void scoreFour(
            long q,
            long rowBytes,
            long keys,
            long nextKeys,
            long stride,
            int headSize,
            long to,
            long nextTo,
            long toBytes) {
        FloatVector dot0 = FloatVector.zero(Lanes.F);
        FloatVector dot1 = dot0;
        FloatVector dot2 = dot0;
        FloatVector dot3 = dot0;
        FloatVector next0 = dot0;
        FloatVector next1 = dot0;
        FloatVector next2 = dot0;
        FloatVector next3 = dot0;
        for (int d = 0; d < headSize; d++) {
            FloatVector key = Lanes.load(keys + d * stride);
            FloatVector next = Lanes.load(nextKeys + d * stride);
            long at = q + d * Lanes.FLOAT_BYTES;
            FloatVector q0 = FloatVector.broadcast(Lanes.F, Lanes.getFloat(at));
            dot0 = key.fma(q0, dot0);
            next0 = next.fma(q0, next0);
            FloatVector q1 = FloatVector.broadcast(Lanes.F, Lanes.getFloat(at + rowBytes));
            dot1 = key.fma(q1, dot1);
            next1 = next.fma(q1, next1);
            FloatVector q2 = FloatVector.broadcast(Lanes.F, Lanes.getFloat(at + 2 * rowBytes));
            dot2 = key.fma(q2, dot2);
            next2 = next.fma(q2, next2);
            FloatVector q3 = FloatVector.broadcast(Lanes.F, Lanes.getFloat(at + 3 * rowBytes));
            dot3 = key.fma(q3, dot3);
            next3 = next.fma(q3, next3);
        }
        dot0.intoMemorySegment(Lanes.ALL, to, Lanes.ORDER);
        dot1.intoMemorySegment(Lanes.ALL, to + toBytes, Lanes.ORDER);
        dot2.intoMemorySegment(Lanes.ALL, to + 2 * toBytes, Lanes.ORDER);
        dot3.intoMemorySegment(Lanes.ALL, to + 3 * toBytes, Lanes.ORDER);
        next0.intoMemorySegment(Lanes.ALL, nextTo, Lanes.ORDER);
        next1.intoMemorySegment(Lanes.ALL, nextTo + toBytes, Lanes.ORDER);
        next2.intoMemorySegment(Lanes.ALL, nextTo + 2 * toBytes, Lanes.ORDER);
        next3.intoMemorySegment(Lanes.ALL, nextTo + 3 * toBytes, Lanes.ORDER);
    }

    /** Four blocks at a time, whose sums do not wait for each other. */
    private void scoreRow(int blocks) {
        long stride = slotStride * Lanes.FLOAT_BYTES;
        for (int b = 0; b < blocks; b += 4) {
            int last = blocks - 1;
            for (int s = 0; s < slotStride; s += Lanes.L) {
                long to = scores + s * Lanes.FLOAT_BYTES;
                // Where there are less than four, the last one is done again.
                if (direct) {
                    int at = s * Short.BYTES;
                    BFloat16Rows.scoreFourBlocks(
                            query,
                            keys[b] + at,
                            keys[Math.min(b + 1, last)] + at,
                            keys[Math.min(b + 2, last)] + at,
                            keys[Math.min(b + 3, last)] + at,
                            slotStride * Short.BYTES,
                            headSize,
                            to + b * stride,
                            to + Math.min(b + 1, last) * stride,
                            to + Math.min(b + 2, last) * stride,
                            to + Math.min(b + 3, last) * stride);
                    continue;
                }
                long at = s * Lanes.FLOAT_BYTES;
                scoreFourBlocks(
                        query,
                        keys[b] + at,
                        keys[Math.min(b + 1, last)] + at,
                        keys[Math.min(b + 2, last)] + at,
                        keys[Math.min(b + 3, last)] + at,
                        stride,
                        headSize,
                        to + b * stride,
                        to + Math.min(b + 1, last) * stride,
                        to + Math.min(b + 2, last) * stride,
                        to + Math.min(b + 3, last) * stride);
            }
        }
    }

    private static void scoreFourBlocks(
            long q,
            long keys0,
            long keys1,
            long keys2,
            long keys3,
            long stride,
            int headSize,
            long to0,
            long to1,
            long to2,
            long to3) {
        FloatVector dot0 = FloatVector.zero(Lanes.F);
        FloatVector dot1 = dot0;
        FloatVector dot2 = dot0;
        FloatVector dot3 = dot0;
        for (int d = 0; d < headSize; d++) {
            FloatVector value = FloatVector.broadcast(Lanes.F, Lanes.getFloat(q + d * Lanes.FLOAT_BYTES));
            dot0 = Lanes.load(keys0 + d * stride).fma(value, dot0);
            dot1 = Lanes.load(keys1 + d * stride).fma(value, dot1);
            dot2 = Lanes.load(keys2 + d * stride).fma(value, dot2);
            dot3 = Lanes.load(keys3 + d * stride).fma(value, dot3);
        }
        dot0.intoMemorySegment(Lanes.ALL, to0, Lanes.ORDER);
        dot1.intoMemorySegment(Lanes.ALL, to1, Lanes.ORDER);
        dot2.intoMemorySegment(Lanes.ALL, to2, Lanes.ORDER);
        dot3.intoMemorySegment(Lanes.ALL, to3, Lanes.ORDER);
    }

    /** Turns the scores of positions {@code from} until {@code to} of the span into weights, all others into 0. */
    private void weigh(int row, int from, int to, int blocks) {
        long at = scores + row * spanBytes;
        int slots = blocks * slotStride;
        if (from >= to) {
            Lanes.zero(at, slots * Lanes.FLOAT_BYTES);
            return;
        }
        // Most rows see a span whole.
        if (from > 0 || to < slots) {
            hide(at, from, to, blocks);
        }
        long maximum = maximums + row * Lanes.FLOAT_BYTES;
        long total = totals + row * Lanes.FLOAT_BYTES;
        float before = Lanes.getFloat(maximum);
        float now = Math.max(before, maximum(at, slots));
        float factor = (float) Math.exp(before - now);
        float sum = exponentiate(at, slots, now);
        if (factor != 1) {
            scale(sums + (long) row * valueStride * Lanes.FLOAT_BYTES, valueStride, factor);
        }
        Lanes.setFloat(maximum, now);
        Lanes.setFloat(total, Lanes.getFloat(total) * factor + sum);
    }

    private void hide(long at, int from, int to, int blocks) {
        for (int b = 0; b < blocks; b++) {
            int base = b * of.plan.blockTokens;
            long block = at + b * slotStride * Lanes.FLOAT_BYTES;
            hide(block, 0, Math.min(from - base, slotStride));
            hide(block, Math.clamp(to - base, 0, of.plan.blockTokens), slotStride);
        }
    }

    private static void hide(long scores, int from, int to) {
        int s = from;
        for (; s < to && s % Lanes.L != 0; s++) {
            Lanes.setFloat(scores + s * Lanes.FLOAT_BYTES, Float.NEGATIVE_INFINITY);
        }
        FloatVector hidden = FloatVector.broadcast(Lanes.F, Float.NEGATIVE_INFINITY);
        for (; s < to; s += Lanes.L) {
            Lanes.store(hidden, scores + s * Lanes.FLOAT_BYTES, to - s);
        }
    }

    private static void scale(long values, int count, float factor) {
        for (int i = 0; i < count; i += Lanes.L) {
            long at = values + i * Lanes.FLOAT_BYTES;
            FloatVector.fromMemorySegment(Lanes.F, Lanes.ALL, at, Lanes.ORDER)
                    .mul(factor)
                    .intoMemorySegment(Lanes.ALL, at, Lanes.ORDER);
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
            weight.intoMemorySegment(Lanes.ALL, at, Lanes.ORDER);
            sum = sum.add(weight);
        }
        return Lanes.sum(sum);
    }

    /** {@code sums[r] += sum over the first positions of the span of weight[r, p] * value[p]}. */
    private void gather(int positions) {
        if (direct) {
            gatherDirectly(positions);
            return;
        }
        long stride = valueStride * Lanes.FLOAT_BYTES;
        if (paddedRows == 1) {
            for (long column = 0; column < stride; column += 4 * Lanes.VECTOR_BYTES) {
                gatherFourColumns(
                        column, Math.min(3 * Lanes.VECTOR_BYTES, stride - column - Lanes.VECTOR_BYTES), positions);
            }
            return;
        }
        for (int d = 0; d < valueStride; d += 2 * Lanes.L) {
            boolean pair = d + Lanes.L < valueStride;
            long column = d * Lanes.FLOAT_BYTES;
            for (int r = 0; r < paddedRows; r += 4) {
                if (pair) {
                    gatherFour(scores + r * spanBytes, column, positions, sums + r * stride + column);
                } else {
                    for (int i = r; i < r + 4; i++) {
                        gatherOne(scores + i * spanBytes, column, positions, sums + i * stride + column);
                    }
                }
            }
        }
    }

    /** Block after block, all columns of it, so that it is read in the order of its memory. */
    private void gatherDirectly(int positions) {
        int blockTokens = of.plan.blockTokens;
        long stride = valueStride * (long) Short.BYTES;
        long sumBytes = valueStride * Lanes.FLOAT_BYTES;
        for (int b = 0; b * blockTokens < positions; b++) {
            int slots = Math.min(blockTokens, positions - b * blockTokens);
            long weights = scores + b * slotStride * Lanes.FLOAT_BYTES;
            for (int d = 0; d < valueStride; d += 2 * Lanes.L) {
                long value = values[b] + d * (long) Short.BYTES;
                long to = sums + d * Lanes.FLOAT_BYTES;
                if (paddedRows == 1) {
                    BFloat16Rows.gatherTwoColumns(weights, value, stride, slots, to);
                } else {
                    BFloat16Rows.gatherFour(weights, spanBytes, value, stride, slots, to, sumBytes);
                }
            }
        }
    }

    /** One row by up to four vectors of columns, the last of them {@code last} bytes behind the first: where there are less, that one is done again. */
    private void gatherFourColumns(long column, long last, int positions) {
        long second = Math.min(Lanes.VECTOR_BYTES, last);
        long third = Math.min(2 * Lanes.VECTOR_BYTES, last);
        long stride = valueStride * Lanes.FLOAT_BYTES;
        long to = sums + column;
        int blockTokens = of.plan.blockTokens;
        FloatVector sum0 = Lanes.load(to);
        FloatVector sum1 = Lanes.load(to + second);
        FloatVector sum2 = Lanes.load(to + third);
        FloatVector sum3 = Lanes.load(to + last);
        long at = scores;
        for (int b = 0; b * blockTokens < positions; b++) {
            int slots = Math.min(blockTokens, positions - b * blockTokens);
            long value = values[b] + column;
            for (int s = 0; s < slots; s++) {
                FloatVector weight = FloatVector.broadcast(Lanes.F, Lanes.getFloat(at + s * Lanes.FLOAT_BYTES));
                sum0 = Lanes.load(value).fma(weight, sum0);
                sum1 = Lanes.load(value + second).fma(weight, sum1);
                sum2 = Lanes.load(value + third).fma(weight, sum2);
                sum3 = Lanes.load(value + last).fma(weight, sum3);
                value += stride;
            }
            at += slotStride * Lanes.FLOAT_BYTES;
        }
        sum0.intoMemorySegment(Lanes.ALL, to, Lanes.ORDER);
        sum1.intoMemorySegment(Lanes.ALL, to + second, Lanes.ORDER);
        sum2.intoMemorySegment(Lanes.ALL, to + third, Lanes.ORDER);
        sum3.intoMemorySegment(Lanes.ALL, to + last, Lanes.ORDER);
    }

    /** Four rows by two vectors of columns. Results are stored by the Vector API's own method: see {@link Lanes#ALL}. */
    private void gatherFour(long weights, long column, int positions, long to) {
        long stride = valueStride * Lanes.FLOAT_BYTES;
        long weightBytes = spanBytes;
        int blockTokens = of.plan.blockTokens;
        long second = to + Lanes.VECTOR_BYTES;
        FloatVector low0 = Lanes.load(to);
        FloatVector low1 = Lanes.load(to + stride);
        FloatVector low2 = Lanes.load(to + 2 * stride);
        FloatVector low3 = Lanes.load(to + 3 * stride);
        FloatVector high0 = Lanes.load(second);
        FloatVector high1 = Lanes.load(second + stride);
        FloatVector high2 = Lanes.load(second + 2 * stride);
        FloatVector high3 = Lanes.load(second + 3 * stride);
        long at = weights;
        for (int b = 0; b * blockTokens < positions; b++) {
            int slots = Math.min(blockTokens, positions - b * blockTokens);
            long value = values[b] + column;
            for (int s = 0; s < slots; s++) {
                FloatVector low = Lanes.load(value + s * stride);
                FloatVector high = Lanes.load(value + s * stride + Lanes.VECTOR_BYTES);
                long weight = at + s * Lanes.FLOAT_BYTES;
                FloatVector w0 = FloatVector.broadcast(Lanes.F, Lanes.getFloat(weight));
                low0 = low.fma(w0, low0);
                high0 = high.fma(w0, high0);
                FloatVector w1 = FloatVector.broadcast(Lanes.F, Lanes.getFloat(weight + weightBytes));
                low1 = low.fma(w1, low1);
                high1 = high.fma(w1, high1);
                FloatVector w2 = FloatVector.broadcast(Lanes.F, Lanes.getFloat(weight + 2 * weightBytes));
                low2 = low.fma(w2, low2);
                high2 = high.fma(w2, high2);
                FloatVector w3 = FloatVector.broadcast(Lanes.F, Lanes.getFloat(weight + 3 * weightBytes));
                low3 = low.fma(w3, low3);
                high3 = high.fma(w3, high3);
            }
            at += slotStride * Lanes.FLOAT_BYTES;
        }
        low0.intoMemorySegment(Lanes.ALL, to, Lanes.ORDER);
        low1.intoMemorySegment(Lanes.ALL, to + stride, Lanes.ORDER);
        low2.intoMemorySegment(Lanes.ALL, to + 2 * stride, Lanes.ORDER);
        low3.intoMemorySegment(Lanes.ALL, to + 3 * stride, Lanes.ORDER);
        high0.intoMemorySegment(Lanes.ALL, second, Lanes.ORDER);
        high1.intoMemorySegment(Lanes.ALL, second + stride, Lanes.ORDER);
        high2.intoMemorySegment(Lanes.ALL, second + 2 * stride, Lanes.ORDER);
        high3.intoMemorySegment(Lanes.ALL, second + 3 * stride, Lanes.ORDER);
    }

    private void gatherOne(long weights, long column, int positions, long to) {
        long stride = valueStride * Lanes.FLOAT_BYTES;
        FloatVector sum = Lanes.load(to);
        for (int b = 0; b * of.plan.blockTokens < positions; b++) {
            int slots = Math.min(of.plan.blockTokens, positions - b * of.plan.blockTokens);
            long weight = weights + b * slotStride * Lanes.FLOAT_BYTES;
            for (int s = 0; s < slots; s++) {
                FloatVector value = Lanes.load(values[b] + column + s * stride);
                sum = value.fma(FloatVector.broadcast(Lanes.F, Lanes.getFloat(weight + s * Lanes.FLOAT_BYTES)), sum);
            }
        }
        sum.intoMemorySegment(Lanes.ALL, to, Lanes.ORDER);
    }

    private void finish() {
        for (int r = 0; r < rows; r++) {
            float inverse = 1 / Lanes.getFloat(totals + r * Lanes.FLOAT_BYTES);
            long from = sums + (long) r * valueStride * Lanes.FLOAT_BYTES;
            scale(from, valueStride, inverse);
            Lanes.copy(from, of.out + element(r), headSize * Lanes.FLOAT_BYTES);
        }
    }
}
