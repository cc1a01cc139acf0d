package dev.tsumugi.engine.kernels;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Products of 8-bit activations with one panel of 4-bit weights, summed in shorts within a block of 32 columns: 32 * 8 * 127 still fits. The
 * sums of a block are exact, so what a token gets does not depend on how many there are.
 */
final class NibbleProduct {
    private NibbleProduct() {}

    /**
     * {@code out[t, n] = sum over blocks of scale[n] * xScale[t] * (sum of nibble * q) + minimum[n] * xSum[t]}.
     *
     * @param out first token's first row of this panel
     * @param outStride bytes from token to token
     * @param valid rows of the panel that the matrix has
     */
    static void multiply(
            NibblePanels matrix, int panel, QuantizedRows x, int tokens, long out, long outStride, int valid) {
        int blocks = matrix.inputs() / NibblePanels.BLOCK;
        long weights = matrix.panelAddress(panel);
        long blockBytes = matrix.blockBytes();
        boolean minimums = matrix.hasMinimums();
        int t = 0;
        for (; t + 4 <= tokens; t += 4) {
            four(
                    weights,
                    blocks,
                    blockBytes,
                    minimums,
                    x.values(t),
                    x.valueStride(),
                    x.scales(t),
                    x.sums(t),
                    x.scaleStride(),
                    out + t * outStride,
                    outStride,
                    valid);
        }
        for (; t < tokens; t++) {
            one(weights, blocks, blockBytes, minimums, x.values(t), x.scales(t), x.sums(t), out + t * outStride, valid);
        }
    }

    private static void one(
            long weights,
            int blocks,
            long blockBytes,
            boolean minimums,
            long values,
            long scales,
            long sums,
            long out,
            int valid) {
        FloatVector low = FloatVector.zero(Lanes.F);
        FloatVector high = FloatVector.zero(Lanes.F);
        for (int b = 0; b < blocks; b++) {
            ShortVector even = ShortVector.zero(Lanes.S);
            ShortVector odd = even;
            long q = values + (long) b * NibblePanels.BLOCK * Short.BYTES;
            for (int j = 0; j < NibblePanels.SHORTS; j++) {
                ShortVector bits = Lanes.loadShorts(weights + j * Lanes.VECTOR_BYTES);
                long at = q + 8L * j;
                even = nibble0(bits).mul(Lanes.getShort(at)).add(even);
                odd = nibble1(bits).mul(Lanes.getShort(at + 2)).add(odd);
                even = nibble2(bits).mul(Lanes.getShort(at + 4)).add(even);
                odd = nibble3(bits).mul(Lanes.getShort(at + 6)).add(odd);
            }
            IntVector sum = even.add(odd).reinterpretAsInts();
            float scale = Lanes.getFloat(scales + b * Lanes.FLOAT_BYTES);
            long blockScales = weights + NibblePanels.SCALES;
            low = lowRows(sum).mul(scale).fma(Lanes.load(blockScales), low);
            high = highRows(sum).mul(scale).fma(Lanes.load(blockScales + Lanes.VECTOR_BYTES), high);
            if (minimums) {
                FloatVector total = FloatVector.broadcast(Lanes.F, Lanes.getFloat(sums + b * Lanes.FLOAT_BYTES));
                low = Lanes.load(blockScales + 2 * Lanes.VECTOR_BYTES).fma(total, low);
                high = Lanes.load(blockScales + 3 * Lanes.VECTOR_BYTES).fma(total, high);
            }
            weights += blockBytes;
        }
        PanelProduct.finish(low, high, out, valid, false);
    }

    private static void four(
            long weights,
            int blocks,
            long blockBytes,
            boolean minimums,
            long values,
            long valueStride,
            long scales,
            long sums,
            long scaleStride,
            long out,
            long outStride,
            int valid) {
        FloatVector low0 = FloatVector.zero(Lanes.F);
        FloatVector low1 = low0;
        FloatVector low2 = low0;
        FloatVector low3 = low0;
        FloatVector high0 = low0;
        FloatVector high1 = low0;
        FloatVector high2 = low0;
        FloatVector high3 = low0;
        for (int b = 0; b < blocks; b++) {
            ShortVector sum0 = ShortVector.zero(Lanes.S);
            ShortVector sum1 = sum0;
            ShortVector sum2 = sum0;
            ShortVector sum3 = sum0;
            long q = values + (long) b * NibblePanels.BLOCK * Short.BYTES;
            for (int j = 0; j < NibblePanels.SHORTS; j++) {
                ShortVector bits = Lanes.loadShorts(weights + j * Lanes.VECTOR_BYTES);
                long at = q + 8L * j;
                ShortVector w = nibble0(bits);
                sum0 = w.mul(Lanes.getShort(at)).add(sum0);
                sum1 = w.mul(Lanes.getShort(at + valueStride)).add(sum1);
                sum2 = w.mul(Lanes.getShort(at + 2 * valueStride)).add(sum2);
                sum3 = w.mul(Lanes.getShort(at + 3 * valueStride)).add(sum3);
                w = nibble1(bits);
                sum0 = w.mul(Lanes.getShort(at + 2)).add(sum0);
                sum1 = w.mul(Lanes.getShort(at + 2 + valueStride)).add(sum1);
                sum2 = w.mul(Lanes.getShort(at + 2 + 2 * valueStride)).add(sum2);
                sum3 = w.mul(Lanes.getShort(at + 2 + 3 * valueStride)).add(sum3);
                w = nibble2(bits);
                sum0 = w.mul(Lanes.getShort(at + 4)).add(sum0);
                sum1 = w.mul(Lanes.getShort(at + 4 + valueStride)).add(sum1);
                sum2 = w.mul(Lanes.getShort(at + 4 + 2 * valueStride)).add(sum2);
                sum3 = w.mul(Lanes.getShort(at + 4 + 3 * valueStride)).add(sum3);
                w = nibble3(bits);
                sum0 = w.mul(Lanes.getShort(at + 6)).add(sum0);
                sum1 = w.mul(Lanes.getShort(at + 6 + valueStride)).add(sum1);
                sum2 = w.mul(Lanes.getShort(at + 6 + 2 * valueStride)).add(sum2);
                sum3 = w.mul(Lanes.getShort(at + 6 + 3 * valueStride)).add(sum3);
            }
            long blockScales = weights + NibblePanels.SCALES;
            FloatVector scaleLow = Lanes.load(blockScales);
            FloatVector scaleHigh = Lanes.load(blockScales + Lanes.VECTOR_BYTES);
            long scale = scales + b * Lanes.FLOAT_BYTES;
            float s0 = Lanes.getFloat(scale);
            float s1 = Lanes.getFloat(scale + scaleStride);
            float s2 = Lanes.getFloat(scale + 2 * scaleStride);
            float s3 = Lanes.getFloat(scale + 3 * scaleStride);
            low0 = lowRows(sum0.reinterpretAsInts()).mul(s0).fma(scaleLow, low0);
            high0 = highRows(sum0.reinterpretAsInts()).mul(s0).fma(scaleHigh, high0);
            low1 = lowRows(sum1.reinterpretAsInts()).mul(s1).fma(scaleLow, low1);
            high1 = highRows(sum1.reinterpretAsInts()).mul(s1).fma(scaleHigh, high1);
            low2 = lowRows(sum2.reinterpretAsInts()).mul(s2).fma(scaleLow, low2);
            high2 = highRows(sum2.reinterpretAsInts()).mul(s2).fma(scaleHigh, high2);
            low3 = lowRows(sum3.reinterpretAsInts()).mul(s3).fma(scaleLow, low3);
            high3 = highRows(sum3.reinterpretAsInts()).mul(s3).fma(scaleHigh, high3);
            if (minimums) {
                FloatVector minimumLow = Lanes.load(blockScales + 2 * Lanes.VECTOR_BYTES);
                FloatVector minimumHigh = Lanes.load(blockScales + 3 * Lanes.VECTOR_BYTES);
                long sum = sums + b * Lanes.FLOAT_BYTES;
                FloatVector total0 = FloatVector.broadcast(Lanes.F, Lanes.getFloat(sum));
                low0 = minimumLow.fma(total0, low0);
                high0 = minimumHigh.fma(total0, high0);
                FloatVector total1 = FloatVector.broadcast(Lanes.F, Lanes.getFloat(sum + scaleStride));
                low1 = minimumLow.fma(total1, low1);
                high1 = minimumHigh.fma(total1, high1);
                FloatVector total2 = FloatVector.broadcast(Lanes.F, Lanes.getFloat(sum + 2 * scaleStride));
                low2 = minimumLow.fma(total2, low2);
                high2 = minimumHigh.fma(total2, high2);
                FloatVector total3 = FloatVector.broadcast(Lanes.F, Lanes.getFloat(sum + 3 * scaleStride));
                low3 = minimumLow.fma(total3, low3);
                high3 = minimumHigh.fma(total3, high3);
            }
            weights += blockBytes;
        }
        PanelProduct.finish(low0, high0, out, valid, false);
        PanelProduct.finish(low1, high1, out + outStride, valid, false);
        PanelProduct.finish(low2, high2, out + 2 * outStride, valid, false);
        PanelProduct.finish(low3, high3, out + 3 * outStride, valid, false);
    }

    private static ShortVector nibble0(ShortVector bits) {
        return bits.lanewise(VectorOperators.LSHL, 12).lanewise(VectorOperators.ASHR, 12);
    }

    private static ShortVector nibble1(ShortVector bits) {
        return bits.lanewise(VectorOperators.LSHL, 8).lanewise(VectorOperators.ASHR, 12);
    }

    private static ShortVector nibble2(ShortVector bits) {
        return bits.lanewise(VectorOperators.LSHL, 4).lanewise(VectorOperators.ASHR, 12);
    }

    private static ShortVector nibble3(ShortVector bits) {
        return bits.lanewise(VectorOperators.ASHR, 12);
    }

    /** Even shorts: rows 0 until L of the panel. */
    private static FloatVector lowRows(IntVector pairs) {
        return (FloatVector) pairs.lanewise(VectorOperators.LSHL, 16)
                .lanewise(VectorOperators.ASHR, 16)
                .convertShape(VectorOperators.I2F, Lanes.F, 0);
    }

    /** Odd shorts: rows L until 2L. */
    private static FloatVector highRows(IntVector pairs) {
        return (FloatVector) pairs.lanewise(VectorOperators.ASHR, 16).convertShape(VectorOperators.I2F, Lanes.F, 0);
    }
}
