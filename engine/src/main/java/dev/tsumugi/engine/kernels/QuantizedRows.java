package dev.tsumugi.engine.kernels;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Activations rounded to 8 bits per block of 32: {@code x = scale * q} with {@code q} in -127..127. Each q is held twice, in
 * both halves of an int, because an int is spread over a vector of shorts in one step from memory. Beside each scale stands {@code scale * sum
 * of q}, which a weight's minimum is multiplied with.
 */
final class QuantizedRows implements AutoCloseable {
    private static final int BLOCK = NibblePanels.BLOCK;
    private static final float LARGEST = 127;

    private final Scratch memory = new Scratch();
    private long values;
    private long scales;
    private long sums;
    private int blocks;

    /** Makes room for rows of {@code inputs} elements, a multiple of 32; what was held is lost. */
    void reserve(int rows, int inputs) {
        blocks = inputs / BLOCK;
        long valueBytes = (long) rows * inputs * Integer.BYTES + 63 & -64;
        long scaleBytes = rows * blocks * Lanes.FLOAT_BYTES;
        values = memory.address(valueBytes + 2 * scaleBytes);
        scales = values + valueBytes;
        sums = scales + scaleBytes;
    }

    /** Address of the pairs of a row. */
    long values(int row) {
        return values + (long) row * blocks * BLOCK * Integer.BYTES;
    }

    long scales(int row) {
        return scales + row * blocks * Lanes.FLOAT_BYTES;
    }

    long sums(int row) {
        return sums + row * blocks * Lanes.FLOAT_BYTES;
    }

    long valueStride() {
        return (long) blocks * BLOCK * Integer.BYTES;
    }

    long scaleStride() {
        return blocks * Lanes.FLOAT_BYTES;
    }

    /** Rounds one row of fp32 at {@code x}. */
    void quantize(int row, long x) {
        for (int b = 0; b < blocks; b++) {
            long from = x + b * BLOCK * Lanes.FLOAT_BYTES;
            FloatVector largest = FloatVector.zero(Lanes.F);
            for (int i = 0; i < BLOCK; i += Lanes.L) {
                largest = largest.max(Lanes.load(from + i * Lanes.FLOAT_BYTES).abs());
            }
            float scale = largest.reduceLanes(VectorOperators.MAX) / LARGEST;
            float inverse = scale == 0 ? 0 : 1 / scale;
            IntVector total = IntVector.zero(Lanes.I);
            long to = values(row) + (long) b * BLOCK * Integer.BYTES;
            for (int i = 0; i < BLOCK; i += Lanes.L) {
                IntVector rounded =
                        round(Lanes.load(from + i * Lanes.FLOAT_BYTES).mul(inverse));
                total = total.add(rounded);
                Lanes.store(
                        rounded.and(0xffff).or(rounded.lanewise(VectorOperators.LSHL, 16)),
                        to + i * (long) Integer.BYTES);
            }
            Lanes.setFloat(scales(row) + b * Lanes.FLOAT_BYTES, scale);
            Lanes.setFloat(sums(row) + b * Lanes.FLOAT_BYTES, scale * total.reduceLanes(VectorOperators.ADD));
        }
    }

    /** To nearest, ties to even: adding 1.5 * 2^23 leaves the integer in the low bits. */
    private static IntVector round(FloatVector x) {
        FloatVector shifted = x.add(0x1.8p23f);
        return (IntVector) shifted.sub(0x1.8p23f).convertShape(VectorOperators.F2I, Lanes.I, 0);
    }

    @Override
    public void close() {
        memory.close();
    }
}
