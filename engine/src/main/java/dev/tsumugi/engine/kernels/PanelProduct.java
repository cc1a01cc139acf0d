package dev.tsumugi.engine.kernels;

import jdk.incubator.vector.FloatVector;

/**
 * Products of fp32 activations with one panel of fp32 weights. Four tokens at a time share each load of the weights; what a token gets does
 * not depend on how many there are.
 */
final class PanelProduct {
    private PanelProduct() {}

    /**
     * {@code out[t, n] (+)= sum over k of x[t, k] * panel[k, n]} over the columns of one chunk.
     *
     * @param panel [count][PANEL]
     * @param x first token's first column of this chunk
     * @param xStride bytes from token to token
     * @param out first token's first row of this panel
     * @param outStride bytes from token to token
     * @param valid rows of the panel that the matrix has
     * @param add whether to add to {@code out}
     */
    static void multiply(
            long panel, int count, long x, long xStride, int tokens, long out, long outStride, int valid, boolean add) {
        int t = 0;
        for (; t + 4 <= tokens; t += 4) {
            four(panel, count, x + t * xStride, xStride, out + t * outStride, outStride, valid, add);
        }
        for (; t < tokens; t++) {
            one(panel, count, x + t * xStride, out + t * outStride, valid, add);
        }
    }

    private static void one(long panel, int count, long x, long out, int valid, boolean add) {
        FloatVector low = FloatVector.zero(Lanes.F);
        FloatVector high = FloatVector.zero(Lanes.F);
        for (int k = 0; k < count; k++) {
            long column = panel + k * 2 * Lanes.VECTOR_BYTES;
            FloatVector value = FloatVector.broadcast(Lanes.F, Lanes.getFloat(x + k * Lanes.FLOAT_BYTES));
            low = Lanes.load(column).fma(value, low);
            high = Lanes.load(column + Lanes.VECTOR_BYTES).fma(value, high);
        }
        finish(low, high, out, valid, add);
    }

    private static void four(
            long panel, int count, long x, long xStride, long out, long outStride, int valid, boolean add) {
        FloatVector low0 = FloatVector.zero(Lanes.F);
        FloatVector low1 = low0;
        FloatVector low2 = low0;
        FloatVector low3 = low0;
        FloatVector high0 = low0;
        FloatVector high1 = low0;
        FloatVector high2 = low0;
        FloatVector high3 = low0;
        for (int k = 0; k < count; k++) {
            long column = panel + k * 2 * Lanes.VECTOR_BYTES;
            FloatVector low = Lanes.load(column);
            FloatVector high = Lanes.load(column + Lanes.VECTOR_BYTES);
            long value = x + k * Lanes.FLOAT_BYTES;
            FloatVector x0 = FloatVector.broadcast(Lanes.F, Lanes.getFloat(value));
            low0 = low.fma(x0, low0);
            high0 = high.fma(x0, high0);
            FloatVector x1 = FloatVector.broadcast(Lanes.F, Lanes.getFloat(value + xStride));
            low1 = low.fma(x1, low1);
            high1 = high.fma(x1, high1);
            FloatVector x2 = FloatVector.broadcast(Lanes.F, Lanes.getFloat(value + 2 * xStride));
            low2 = low.fma(x2, low2);
            high2 = high.fma(x2, high2);
            FloatVector x3 = FloatVector.broadcast(Lanes.F, Lanes.getFloat(value + 3 * xStride));
            low3 = low.fma(x3, low3);
            high3 = high.fma(x3, high3);
        }
        finish(low0, high0, out, valid, add);
        finish(low1, high1, out + outStride, valid, add);
        finish(low2, high2, out + 2 * outStride, valid, add);
        finish(low3, high3, out + 3 * outStride, valid, add);
    }

    /** Writes, or adds, the first {@code valid} of the 2L sums. */
    static void finish(FloatVector low, FloatVector high, long out, int valid, boolean add) {
        if (valid >= Lanes.PANEL) {
            Lanes.store(add ? low.add(Lanes.load(out)) : low, out);
            long behind = out + Lanes.VECTOR_BYTES;
            Lanes.store(add ? high.add(Lanes.load(behind)) : high, behind);
        } else {
            finishPart(low, out, valid, add);
            finishPart(high, out + Lanes.VECTOR_BYTES, valid - Lanes.L, add);
        }
    }

    private static void finishPart(FloatVector sum, long out, int valid, boolean add) {
        if (valid > 0) {
            Lanes.store(add ? sum.add(Lanes.load(out, valid)) : sum, out, valid);
        }
    }
}
