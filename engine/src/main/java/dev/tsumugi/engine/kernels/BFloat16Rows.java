package dev.tsumugi.engine.kernels;

import jdk.incubator.vector.FloatVector;

/**
 * The products of {@link AttentionTile} over a cache in bfloat16, for tiles of so few rows that widening its blocks once for all of them would
 * cost more than widening each vector where it is used. The results have the same bits as those over widened blocks.
 */
final class BFloat16Rows {
    private static final long VECTOR_BYTES = Lanes.VECTOR_BYTES / 2;

    private BFloat16Rows() {}

    /**
     * Four rows of queries by two blocks of keys.
     *
     * @param rowBytes from row to row of the queries
     * @param stride bytes from element to element of the keys
     * @param toBytes from row to row of the scores
     */
    static void scoreFour(
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
            FloatVector key = Lanes.loadBFloat16(keys + d * stride);
            FloatVector next = Lanes.loadBFloat16(nextKeys + d * stride);
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

    /** One row of queries by four blocks of keys. */
    static void scoreFourBlocks(
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
            dot0 = Lanes.loadBFloat16(keys0 + d * stride).fma(value, dot0);
            dot1 = Lanes.loadBFloat16(keys1 + d * stride).fma(value, dot1);
            dot2 = Lanes.loadBFloat16(keys2 + d * stride).fma(value, dot2);
            dot3 = Lanes.loadBFloat16(keys3 + d * stride).fma(value, dot3);
        }
        dot0.intoMemorySegment(Lanes.ALL, to0, Lanes.ORDER);
        dot1.intoMemorySegment(Lanes.ALL, to1, Lanes.ORDER);
        dot2.intoMemorySegment(Lanes.ALL, to2, Lanes.ORDER);
        dot3.intoMemorySegment(Lanes.ALL, to3, Lanes.ORDER);
    }

    /**
     * Adds to four rows, two vectors of columns each, the weighted values of one block.
     *
     * @param weights of the first row; those of the next ones are {@code weightBytes} apart
     * @param value the first of {@code slots} rows of values, {@code stride} bytes apart
     * @param to the first row of sums, fp32; the next ones are {@code toBytes} apart
     */
    static void gatherFour(long weights, long weightBytes, long value, long stride, int slots, long to, long toBytes) {
        long second = to + Lanes.VECTOR_BYTES;
        FloatVector low0 = Lanes.load(to);
        FloatVector low1 = Lanes.load(to + toBytes);
        FloatVector low2 = Lanes.load(to + 2 * toBytes);
        FloatVector low3 = Lanes.load(to + 3 * toBytes);
        FloatVector high0 = Lanes.load(second);
        FloatVector high1 = Lanes.load(second + toBytes);
        FloatVector high2 = Lanes.load(second + 2 * toBytes);
        FloatVector high3 = Lanes.load(second + 3 * toBytes);
        for (int s = 0; s < slots; s++) {
            FloatVector low = Lanes.loadBFloat16(value + s * stride);
            FloatVector high = Lanes.loadBFloat16(value + s * stride + VECTOR_BYTES);
            long weight = weights + s * Lanes.FLOAT_BYTES;
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
        low0.intoMemorySegment(Lanes.ALL, to, Lanes.ORDER);
        low1.intoMemorySegment(Lanes.ALL, to + toBytes, Lanes.ORDER);
        low2.intoMemorySegment(Lanes.ALL, to + 2 * toBytes, Lanes.ORDER);
        low3.intoMemorySegment(Lanes.ALL, to + 3 * toBytes, Lanes.ORDER);
        high0.intoMemorySegment(Lanes.ALL, second, Lanes.ORDER);
        high1.intoMemorySegment(Lanes.ALL, second + toBytes, Lanes.ORDER);
        high2.intoMemorySegment(Lanes.ALL, second + 2 * toBytes, Lanes.ORDER);
        high3.intoMemorySegment(Lanes.ALL, second + 3 * toBytes, Lanes.ORDER);
    }

    /** Adds to two vectors of columns of one row the weighted values of one block. */
    static void gatherTwoColumns(long weights, long value, long stride, int slots, long to) {
        FloatVector low = Lanes.load(to);
        FloatVector high = Lanes.load(to + Lanes.VECTOR_BYTES);
        for (int s = 0; s < slots; s++) {
            FloatVector weight = FloatVector.broadcast(Lanes.F, Lanes.getFloat(weights + s * Lanes.FLOAT_BYTES));
            low = Lanes.loadBFloat16(value).fma(weight, low);
            high = Lanes.loadBFloat16(value + VECTOR_BYTES).fma(weight, high);
            value += stride;
        }
        low.intoMemorySegment(Lanes.ALL, to, Lanes.ORDER);
        high.intoMemorySegment(Lanes.ALL, to + Lanes.VECTOR_BYTES, Lanes.ORDER);
    }
}
