package dev.tsumugi.engine.kernels;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Products of 8-bit activations with one panel of 4-bit weights, summed in shorts within a block of 32 columns: 32 * 8 * 127 still fits.
 *
 * <p>One token at a time: a loop over several at once grows past what HotSpot inlines into one method, and a vector operation that is not
 * inlined allocates.
 */
final class NibbleProduct {
    private NibbleProduct() {}

    /**
     * {@code out[n] = sum over blocks of scale[n] * xScale * (sum of nibble * q) + minimum[n] * xSum}.
     *
     * @param token row of {@code x}
     * @param out the token's first row of this panel
     * @param valid rows of the panel that the matrix has
     */
    static void multiply(NibblePanels matrix, int panel, QuantizedRows x, int token, long out, int valid) {
        int blocks = matrix.inputs() / NibblePanels.BLOCK;
        boolean minimums = matrix.hasMinimums();
        long blockBytes = matrix.blockBytes();
        long weights = matrix.panelAddress(panel);
        long values = x.values(token);
        long scales = x.scales(token);
        long sums = x.sums(token);
        FloatVector low = FloatVector.zero(Lanes.F);
        FloatVector high = FloatVector.zero(Lanes.F);
        for (int b = 0; b < blocks; b++) {
            ShortVector sum = ShortVector.zero(Lanes.S);
            for (int j = 0; j < NibblePanels.SHORTS; j++) {
                ShortVector bits = Lanes.loadShorts(weights + j * Lanes.VECTOR_BYTES);
                for (int i = 0; i < 4; i++) {
                    ShortVector weight =
                            bits.lanewise(VectorOperators.LSHL, 12 - 4 * i).lanewise(VectorOperators.ASHR, 12);
                    sum = weight.mul(Lanes.spreadPair(values + (4L * j + i) * Integer.BYTES))
                            .add(sum);
                }
            }
            IntVector pairs = sum.reinterpretAsInts();
            float scale = Lanes.getFloat(scales + b * Lanes.FLOAT_BYTES);
            long blockScales = weights + NibblePanels.SCALES;
            low = lowRows(pairs).mul(scale).fma(Lanes.load(blockScales), low);
            high = highRows(pairs).mul(scale).fma(Lanes.load(blockScales + Lanes.VECTOR_BYTES), high);
            if (minimums) {
                float total = Lanes.getFloat(sums + b * Lanes.FLOAT_BYTES);
                low = Lanes.load(blockScales + 2 * Lanes.VECTOR_BYTES)
                        .mul(total)
                        .add(low);
                high = Lanes.load(blockScales + 3 * Lanes.VECTOR_BYTES)
                        .mul(total)
                        .add(high);
            }
            values += NibblePanels.BLOCK * (long) Integer.BYTES;
            weights += blockBytes;
        }
        PanelProduct.finish(low, high, out, valid, false);
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
