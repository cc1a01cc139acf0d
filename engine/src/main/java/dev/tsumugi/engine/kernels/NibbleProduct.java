package dev.tsumugi.engine.kernels;

import static java.lang.invoke.MethodHandles.lookup;

import java.lang.invoke.MethodHandle;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Products of 8-bit activations with one panel of 4-bit weights, in two {@link Separate} passes: sums of shorts over each block of 32
 * columns, in which 32 * 8 * 127 still fits, then all blocks' scales. A token gets the same bits alone or beside another.
 */
final class NibbleProduct {
    /** Tokens that share one unpacking of the weights. */
    private static final int TOGETHER = 4;

    private static final ShortVector LOWEST = ShortVector.broadcast(Lanes.S, (short) 15);
    private static final Class<?>[] SCALE = {long.class, int.class, long.class, float[].class, int.class, long.class};

    private final MethodHandle sumOne =
            Separate.method(lookup(), "sumOne", long.class, int.class, int[].class, int.class, long.class);
    private final MethodHandle sumTwo =
            Separate.method(lookup(), "sumTwo", long.class, int.class, int[].class, int.class, int.class, long.class);
    private final MethodHandle sumThree =
            Separate.method(lookup(), "sumThree", long.class, int.class, int[].class, int.class, int.class, long.class);
    private final MethodHandle sumFour =
            Separate.method(lookup(), "sumFour", long.class, int.class, int[].class, int.class, int.class, long.class);
    private final MethodHandle scaleByHalves = Separate.method(lookup(), "scaleByHalves", SCALE);
    private final MethodHandle scaleByFloats = Separate.method(lookup(), "scaleByFloats", SCALE);
    private final MethodHandle scaleWithMinimums = Separate.method(lookup(), "scaleWithMinimums", SCALE);

    /**
     * {@code out[t, n] = sum over blocks of scale[n] * (xScale[t] * (sum of nibble * q) + 8 xSum[t]) + minimum[n] * xSum[t]}.
     *
     * @param rows tokens
     * @param out the first token's first row of this panel
     * @param outStride bytes from token to token
     * @param valid rows of the panel that the matrix has
     */
    void multiply(
            NibblePanels matrix,
            int panel,
            QuantizedRows x,
            int rows,
            long out,
            long outStride,
            int valid,
            Scratch scratch) {
        try {
            for (int t = 0; t < rows; t += TOGETHER) {
                int tokens = Math.min(TOGETHER, rows - t);
                multiplyFew(matrix, panel, x, t, tokens, out + t * outStride, outStride, valid, scratch);
            }
        } catch (Throwable e) {
            throw Separate.rethrown(e);
        }
    }

    private void multiplyFew(
            NibblePanels matrix,
            int panel,
            QuantizedRows x,
            int first,
            int tokens,
            long out,
            long outStride,
            int valid,
            Scratch scratch)
            throws Throwable {
        int blocks = matrix.blocks();
        long weights = matrix.panelAddress(panel);
        long scales = matrix.scales(panel);
        long sums = scratch.address((TOGETHER * blocks + 2) * Lanes.VECTOR_BYTES);
        long partial = sums + TOGETHER * blocks * Lanes.VECTOR_BYTES;
        if (tokens > 2) {
            int apart = x.firstValue(first + 1) - x.firstValue(first);
            MethodHandle sum = tokens == 4 ? sumFour : sumThree;
            sum.invokeExact(weights, blocks, x.values(), x.firstValue(first), apart, sums);
        } else if (tokens == 2) {
            sumTwo.invokeExact(weights, blocks, x.values(), x.firstValue(first), x.firstValue(first + 1), sums);
        } else {
            sumOne.invokeExact(weights, blocks, x.values(), x.firstValue(first), sums);
        }
        MethodHandle scale = switch (matrix.kind()) {
            case HALVES -> scaleByHalves;
            case FLOATS -> scaleByFloats;
            case FLOATS_AND_MINIMUMS -> scaleWithMinimums;
        };
        for (int t = 0; t < tokens; t++) {
            long to = out + t * outStride;
            scale.invokeExact(
                    scales,
                    blocks,
                    sums + t * blocks * Lanes.VECTOR_BYTES,
                    x.factors(),
                    x.firstFactor(first + t),
                    valid < Lanes.PANEL ? partial : to);
            if (valid < Lanes.PANEL) {
                Lanes.copy(partial, to, valid * Lanes.FLOAT_BYTES);
            }
        }
    }

    /**
     * {@code sums[b][lane] = sum over the block's columns of (nibble - 8) * q}, as a vector of shorts each. It begins with {@code -8 * sum of q}
     * and may wrap around on its way.
     */
    private static void sumOne(long weights, int blocks, int[] x, int from, long sums) {
        int k = from;
        for (int b = 0; b < blocks; b++) {
            ShortVector even = pair(x, k++);
            ShortVector odd = ShortVector.zero(Lanes.S);
            for (int j = 0; j < NibblePanels.SHORTS; j++) {
                ShortVector bits = Lanes.loadShorts(weights + j * Lanes.VECTOR_BYTES);
                even = lowest(bits).mul(pair(x, k)).add(even);
                odd = lowest(right(bits, 4)).mul(pair(x, k + 1)).add(odd);
                even = lowest(right(bits, 8)).mul(pair(x, k + 2)).add(even);
                odd = right(bits, 12).mul(pair(x, k + 3)).add(odd);
                k += 4;
            }
            Lanes.store(even.add(odd), sums + b * Lanes.VECTOR_BYTES);
            weights += NibblePanels.BLOCK_BYTES;
        }
    }

    /** As {@link #sumOne} for two tokens, which share the unpacking; the second one's sums follow those of the first. */
    private static void sumTwo(long weights, int blocks, int[] x, int first, int second, long sums) {
        int k = first;
        int apart = second - first;
        for (int b = 0; b < blocks; b++) {
            ShortVector sum0 = pair(x, k);
            ShortVector sum1 = pair(x, k + apart);
            k++;
            for (int j = 0; j < NibblePanels.SHORTS; j++) {
                ShortVector bits = Lanes.loadShorts(weights + j * Lanes.VECTOR_BYTES);
                ShortVector weight = lowest(bits);
                sum0 = weight.mul(pair(x, k)).add(sum0);
                sum1 = weight.mul(pair(x, k + apart)).add(sum1);
                weight = lowest(right(bits, 4));
                sum0 = weight.mul(pair(x, k + 1)).add(sum0);
                sum1 = weight.mul(pair(x, k + 1 + apart)).add(sum1);
                weight = lowest(right(bits, 8));
                sum0 = weight.mul(pair(x, k + 2)).add(sum0);
                sum1 = weight.mul(pair(x, k + 2 + apart)).add(sum1);
                weight = right(bits, 12);
                sum0 = weight.mul(pair(x, k + 3)).add(sum0);
                sum1 = weight.mul(pair(x, k + 3 + apart)).add(sum1);
                k += 4;
            }
            Lanes.store(sum0, sums + b * Lanes.VECTOR_BYTES);
            Lanes.store(sum1, sums + (blocks + b) * Lanes.VECTOR_BYTES);
            weights += NibblePanels.BLOCK_BYTES;
        }
    }

    /** As {@link #sumFour} for three tokens. */
    private static void sumThree(long weights, int blocks, int[] x, int first, int apart, long sums) {
        int k = first;
        for (int b = 0; b < blocks; b++) {
            ShortVector sum0 = pair(x, k);
            ShortVector sum1 = pair(x, k + apart);
            ShortVector sum2 = pair(x, k + 2 * apart);
            k++;
            for (int c = 0; c < NibblePanels.BLOCK; c++) {
                ShortVector bits = Lanes.loadShorts(weights + (c >> 2) * Lanes.VECTOR_BYTES);
                ShortVector weight = lowest(right(bits, 4 * (c & 3)));
                sum0 = weight.mul(pair(x, k + c)).add(sum0);
                sum1 = weight.mul(pair(x, k + c + apart)).add(sum1);
                sum2 = weight.mul(pair(x, k + c + 2 * apart)).add(sum2);
            }
            k += NibblePanels.BLOCK;
            Lanes.store(sum0, sums + b * Lanes.VECTOR_BYTES);
            Lanes.store(sum1, sums + (blocks + b) * Lanes.VECTOR_BYTES);
            Lanes.store(sum2, sums + (2 * blocks + b) * Lanes.VECTOR_BYTES);
            weights += NibblePanels.BLOCK_BYTES;
        }
    }

    /**
     * As {@link #sumOne} for four tokens, whose values lie {@code apart}. One column after another, because HotSpot unrolls no longer body by
     * itself and keeps no more of it in registers.
     */
    private static void sumFour(long weights, int blocks, int[] x, int first, int apart, long sums) {
        int k = first;
        int fourth = 3 * apart;
        for (int b = 0; b < blocks; b++) {
            ShortVector sum0 = pair(x, k);
            ShortVector sum1 = pair(x, k + apart);
            ShortVector sum2 = pair(x, k + 2 * apart);
            ShortVector sum3 = pair(x, k + fourth);
            k++;
            for (int c = 0; c < NibblePanels.BLOCK; c++) {
                ShortVector bits = Lanes.loadShorts(weights + (c >> 2) * Lanes.VECTOR_BYTES);
                ShortVector weight = lowest(right(bits, 4 * (c & 3)));
                sum0 = weight.mul(pair(x, k + c)).add(sum0);
                sum1 = weight.mul(pair(x, k + c + apart)).add(sum1);
                sum2 = weight.mul(pair(x, k + c + 2 * apart)).add(sum2);
                sum3 = weight.mul(pair(x, k + c + fourth)).add(sum3);
            }
            k += NibblePanels.BLOCK;
            Lanes.store(sum0, sums + b * Lanes.VECTOR_BYTES);
            Lanes.store(sum1, sums + (blocks + b) * Lanes.VECTOR_BYTES);
            Lanes.store(sum2, sums + (2 * blocks + b) * Lanes.VECTOR_BYTES);
            Lanes.store(sum3, sums + (3 * blocks + b) * Lanes.VECTOR_BYTES);
            weights += NibblePanels.BLOCK_BYTES;
        }
    }

    private static ShortVector right(ShortVector bits, int by) {
        return bits.lanewise(VectorOperators.LSHR, by);
    }

    private static ShortVector lowest(ShortVector bits) {
        return bits.lanewise(VectorOperators.AND, LOWEST);
    }

    private static ShortVector pair(int[] x, int k) {
        return IntVector.broadcast(Lanes.I, x[k]).reinterpretAsShorts();
    }

    /** Sums in units of {@link Lanes#HALF_UNIT}, which the half-precision scales are left in until the end. */
    private static void scaleByHalves(long scales, int blocks, long sums, float[] factors, int from, long out) {
        FloatVector low = FloatVector.zero(Lanes.F);
        FloatVector high = low;
        for (int b = 0; b < blocks; b++) {
            IntVector sum = Lanes.loadInts(sums + b * Lanes.VECTOR_BYTES);
            FloatVector xScale = FloatVector.broadcast(Lanes.F, factors[from + 2 * b]);
            FloatVector xSum = FloatVector.broadcast(Lanes.F, factors[from + 2 * b + 1]);
            FloatVector eight = xSum.mul(8);
            IntVector halves = Lanes.loadInts(scales);
            low = Lanes.upperHalf(halves).fma(lowRows(sum).fma(xScale, eight), low);
            low = Lanes.lowerHalf(halves).fma(xSum, low);
            halves = Lanes.loadInts(scales + Lanes.VECTOR_BYTES);
            high = Lanes.upperHalf(halves).fma(highRows(sum).fma(xScale, eight), high);
            high = Lanes.lowerHalf(halves).fma(xSum, high);
            scales += 2 * Lanes.VECTOR_BYTES;
        }
        Lanes.store(low.mul(Lanes.HALF_UNIT), out);
        Lanes.store(high.mul(Lanes.HALF_UNIT), out + Lanes.VECTOR_BYTES);
    }

    private static void scaleByFloats(long scales, int blocks, long sums, float[] factors, int from, long out) {
        FloatVector low = FloatVector.zero(Lanes.F);
        FloatVector high = low;
        for (int b = 0; b < blocks; b++) {
            IntVector sum = Lanes.loadInts(sums + b * Lanes.VECTOR_BYTES);
            FloatVector xScale = FloatVector.broadcast(Lanes.F, factors[from + 2 * b]);
            low = lowRows(sum).mul(xScale).fma(Lanes.load(scales), low);
            high = highRows(sum).mul(xScale).fma(Lanes.load(scales + Lanes.VECTOR_BYTES), high);
            scales += 2 * Lanes.VECTOR_BYTES;
        }
        Lanes.store(low, out);
        Lanes.store(high, out + Lanes.VECTOR_BYTES);
    }

    private static void scaleWithMinimums(long scales, int blocks, long sums, float[] factors, int from, long out) {
        FloatVector low = FloatVector.zero(Lanes.F);
        FloatVector high = low;
        for (int b = 0; b < blocks; b++) {
            IntVector sum = Lanes.loadInts(sums + b * Lanes.VECTOR_BYTES);
            FloatVector xScale = FloatVector.broadcast(Lanes.F, factors[from + 2 * b]);
            FloatVector xSum = FloatVector.broadcast(Lanes.F, factors[from + 2 * b + 1]);
            FloatVector eight = xSum.mul(8);
            low = lowRows(sum).fma(xScale, eight).fma(Lanes.load(scales), low);
            high = highRows(sum).fma(xScale, eight).fma(Lanes.load(scales + Lanes.VECTOR_BYTES), high);
            low = Lanes.load(scales + 2 * Lanes.VECTOR_BYTES).fma(xSum, low);
            high = Lanes.load(scales + 3 * Lanes.VECTOR_BYTES).fma(xSum, high);
            scales += 4 * Lanes.VECTOR_BYTES;
        }
        Lanes.store(low, out);
        Lanes.store(high, out + Lanes.VECTOR_BYTES);
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
