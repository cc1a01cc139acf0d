package dev.tsumugi.engine.kernels;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Activations rounded to 8 bits per block of 32: {@code x = scale * q} with {@code q} in -127..127. Each q is held twice, in
 * both halves of an int, because an int is spread over a vector of shorts in one step from memory; before those of a block stands {@code -8 *
 * sum of q}, held twice too. On the heap, where an access to an array is a fraction of the code that one to a segment is.
 */
final class QuantizedRows {
    private static final int BLOCK = NibblePanels.BLOCK;
    private static final float LARGEST = 127;

    private int[] values = new int[0];
    private float[] factors = new float[0];
    private int inputs;

    /** Makes room for rows of {@code inputs} elements, a multiple of 32; what was held is lost. */
    void reserve(int rows, int inputs) {
        this.inputs = inputs;
        int blocks = rows * (inputs / BLOCK);
        if (factors.length < 2 * blocks) {
            values = new int[blocks * (BLOCK + 1)];
            factors = new float[2 * blocks];
        }
    }

    /** Pairs of all rows, [rows][blocks][33]. */
    int[] values() {
        return values;
    }

    /** Index of a row's first pair. */
    int firstValue(int row) {
        return row * (inputs / BLOCK) * (BLOCK + 1);
    }

    /** Of all rows' blocks, the scale and then {@code scale * sum of q}, which a weight's minimum is multiplied with. */
    float[] factors() {
        return factors;
    }

    /** Index of a row's first scale. */
    int firstFactor(int row) {
        return 2 * row * (inputs / BLOCK);
    }

    /** Rounds one row of fp32 at {@code x}. */
    void quantize(int row, long x) {
        int to = firstValue(row);
        int factor = firstFactor(row);
        for (int k = 0; k < inputs; k += BLOCK) {
            long from = x + k * Lanes.FLOAT_BYTES;
            float scale = largest(from) / LARGEST;
            int total = round(from, scale == 0 ? 0 : 1 / scale, to + 1);
            values[to] = -8 * total & 0xffff | -8 * total << 16;
            to += BLOCK + 1;
            factors[factor++] = scale;
            factors[factor++] = scale * total;
        }
    }

    private static float largest(long x) {
        FloatVector largest = FloatVector.zero(Lanes.F);
        for (int i = 0; i < BLOCK; i += Lanes.L) {
            largest = largest.max(Lanes.load(x + i * Lanes.FLOAT_BYTES).abs());
        }
        return largest.reduceLanes(VectorOperators.MAX);
    }

    /** Writes one block's pairs; returns the sum of q. */
    private int round(long x, float inverse, int to) {
        IntVector total = IntVector.zero(Lanes.I);
        for (int i = 0; i < BLOCK; i += Lanes.L) {
            IntVector rounded = round(Lanes.load(x + i * Lanes.FLOAT_BYTES).mul(inverse));
            total = total.add(rounded);
            rounded.and(0xffff).or(rounded.lanewise(VectorOperators.LSHL, 16)).intoArray(values, to + i);
        }
        return total.reduceLanes(VectorOperators.ADD);
    }

    /** To nearest, ties to even: adding 1.5 * 2^23 leaves the integer in the low bits. */
    private static IntVector round(FloatVector x) {
        FloatVector shifted = x.add(0x1.8p23f);
        return (IntVector) shifted.sub(0x1.8p23f).convertShape(VectorOperators.F2I, Lanes.I, 0);
    }
}
