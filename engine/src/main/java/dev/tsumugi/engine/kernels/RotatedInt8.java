package dev.tsumugi.engine.kernels;

import static java.lang.invoke.MethodHandles.lookup;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;

/**
 * Rows rounded to 8 bits with one scale each, for products summed in integers. Before rounding, a row is turned, on both sides of a product:
 * that leaves the product what it is, and spreads a single large element, which would cost all others their precision, over the row. A row of
 * {@code 2^k m} elements, m odd, is turned in m blocks by the Hadamard matrix of size 2^k, and then across the blocks by the Hartley matrix of
 * size m, {@code cos + sin} of {@code 2 pi i j / m}, unless m is large: both have rows of one length at right angles. Integer sums have no
 * rounding, so a row's result has the same bits whatever rows it is computed among.
 *
 * <p>Source of the idea: QuaRot, arXiv 2404.00456. Callers answer for sizes: addresses are not checked.
 */
public final class RotatedInt8 {
    /** What the integers of activations are raised by, so that they are 0..255. */
    public static final int OFFSET = 128;

    private static final int LARGEST = 127;
    /** Blocks that are turned across at most: each costs an operation for each element. */
    private static final int MOST_BLOCKS = 15;

    /** Sums of products of 255 and 127 stay within an int. */
    private static final int MOST_INPUTS = 1 << 16;
    /** Below, a scale's reciprocal is not finite; such a row counts as zero. */
    private static final float SMALLEST = 0x1p-100f;
    /** Added to a number up to 2^22, it leaves the nearest integer in the low bits of the sum. */
    private static final float TO_INTEGER = 0x1.8p23f;

    private static final VectorShuffle<Float> SWAP_1 = swap(1);
    private static final VectorShuffle<Float> SWAP_2 = swap(2);
    private static final VectorShuffle<Float> SWAP_4 = swap(4);
    private static final VectorShuffle<Float> SWAP_8 = swap(8);
    private static final FloatVector SIGN_1 = sign(1);
    private static final FloatVector SIGN_2 = sign(2);
    private static final FloatVector SIGN_4 = sign(4);
    private static final FloatVector SIGN_8 = sign(8);

    private final MethodHandle restoreRows = Separate.method(
            lookup(),
            "restoreRows",
            long.class,
            int.class,
            int.class,
            long.class,
            long.class,
            long.class,
            long.class,
            long.class,
            long.class);

    /** By the number of blocks, which is odd; row-major. */
    private static final float[][] HARTLEY = new float[MOST_BLOCKS + 1][];

    static {
        for (int m = 3; m <= MOST_BLOCKS; m += 2) {
            HARTLEY[m] = hartley(m);
        }
    }

    private static float[] hartley(int size) {
        float[] matrix = new float[size * size];
        for (int i = 0; i < matrix.length; i++) {
            double angle = 2 * Math.PI * (i / size) * (i % size) / size;
            matrix[i] = (float) (Math.cos(angle) + Math.sin(angle));
        }
        return matrix;
    }

    private static VectorShuffle<Float> swap(int distance) {
        return VectorShuffle.fromOp(Lanes.F, lane -> (lane ^ distance) % Lanes.L);
    }

    private static FloatVector sign(int distance) {
        float[] signs = new float[Lanes.L];
        for (int lane = 0; lane < signs.length; lane++) {
            signs[lane] = (lane & distance) == 0 ? 1 : -1;
        }
        return FloatVector.fromArray(Lanes.F, signs, 0);
    }

    /** Whether rows of this length can be summed in an int. */
    public static boolean fits(int inputs) {
        return inputs <= MOST_INPUTS;
    }

    /** Floats of room that {@link #quantize} needs for a row. */
    public static int room(int inputs) {
        return 2 * VectorCache.padded(inputs);
    }

    /** Elements of a block: the largest power of two that divides {@code inputs}. */
    static int block(int inputs) {
        return Integer.lowestOneBit(inputs);
    }

    /** Blocks that are turned across. */
    static int blocks(int inputs) {
        int block = block(inputs);
        int blocks = inputs / block;
        return block % Lanes.L == 0 && blocks <= MOST_BLOCKS ? blocks : 1;
    }

    /**
     * Rounds a row to {@code scale * (q - offset)}, turned.
     *
     * @param x fp32 [inputs]
     * @param room of {@link #room} floats, overwritten
     * @param offset {@link #OFFSET} for activations, 0 for weights
     * @param q bytes [inputs]
     * @return the scale
     */
    public static float quantize(MemorySegment x, long xOffset, int inputs, MemorySegment room, int offset, long q) {
        long turned = room.address();
        turn(x.address() + xOffset, inputs, turned);
        int blocks = blocks(inputs);
        if (blocks > 1) {
            long across = turned + inputs * Lanes.FLOAT_BYTES;
            turnAcross(turned, block(inputs), blocks, across);
            turned = across;
        }
        float largest = largest(turned, inputs);
        // Not (largest < SMALLEST): what is no number must stay so.
        float inverse = largest < SMALLEST ? 0 : LARGEST / largest;
        round(turned, inputs, inverse, offset, q);
        return largest < SMALLEST ? 0 : largest / LARGEST;
    }

    /** What a product's scale is to be divided by, because both of its sides were turned by matrices that also lengthen. */
    public static int gain(int inputs) {
        return block(inputs) * blocks(inputs);
    }

    /** Each block times the matrix of +1 and -1 of its size; {@code out} has whole vectors. */
    static void turn(long x, int inputs, long out) {
        int block = block(inputs);
        for (int i = 0; i < inputs; i += Lanes.L) {
            FloatVector v = Lanes.load(x + i * Lanes.FLOAT_BYTES, inputs - i);
            if (block > 1 && Lanes.L > 1) {
                v = v.fma(SIGN_1, v.rearrange(SWAP_1));
            }
            if (block > 2 && Lanes.L > 2) {
                v = v.fma(SIGN_2, v.rearrange(SWAP_2));
            }
            if (block > 4 && Lanes.L > 4) {
                v = v.fma(SIGN_4, v.rearrange(SWAP_4));
            }
            if (block > 8 && Lanes.L > 8) {
                v = v.fma(SIGN_8, v.rearrange(SWAP_8));
            }
            Lanes.store(v, out + i * Lanes.FLOAT_BYTES);
        }
        for (int distance = Lanes.L; distance < block; distance *= 2) {
            for (int base = 0; base < inputs; base += 2 * distance) {
                turnVectors(out + base * Lanes.FLOAT_BYTES, distance);
            }
        }
    }

    private static void turnVectors(long x, int distance) {
        long apart = distance * Lanes.FLOAT_BYTES;
        for (long at = x; at < x + apart; at += Lanes.VECTOR_BYTES) {
            FloatVector a = Lanes.load(at);
            FloatVector b = Lanes.load(at + apart);
            Lanes.store(a.add(b), at);
            Lanes.store(a.sub(b), at + apart);
        }
    }

    /** The blocks' elements of the same place, times the Hartley matrix. */
    private static void turnAcross(long x, int block, int blocks, long out) {
        float[] matrix = HARTLEY[blocks];
        long blockBytes = block * Lanes.FLOAT_BYTES;
        for (long at = 0; at < blockBytes; at += Lanes.VECTOR_BYTES) {
            for (int i = 0; i < blocks; i++) {
                FloatVector sum = Lanes.load(x + at);
                for (int j = 1; j < blocks; j++) {
                    FloatVector factor = FloatVector.broadcast(Lanes.F, matrix[i * blocks + j]);
                    sum = Lanes.load(x + at + j * blockBytes).fma(factor, sum);
                }
                Lanes.store(sum, out + at + i * blockBytes);
            }
        }
    }

    private static float largest(long x, int inputs) {
        FloatVector largest = FloatVector.zero(Lanes.F);
        for (int i = 0; i < inputs; i += Lanes.L) {
            largest = largest.max(Lanes.load(x + i * Lanes.FLOAT_BYTES).abs());
        }
        return largest.reduceLanes(VectorOperators.MAX);
    }

    private static void round(long x, int inputs, float inverse, int offset, long q) {
        float shift = TO_INTEGER + offset;
        int i = 0;
        for (; i + Lanes.L <= inputs; i += Lanes.L) {
            FloatVector value = Lanes.load(x + i * Lanes.FLOAT_BYTES);
            Lanes.storeLowBytes(value.mul(inverse).add(shift).reinterpretAsInts(), q + i);
        }
        for (; i < inputs; i++) {
            float shifted = Lanes.getFloat(x + i * Lanes.FLOAT_BYTES) * inverse + shift;
            Lanes.setByte(q + i, (byte) Float.floatToRawIntBits(shifted));
        }
    }

    /**
     * From integer sums to rows of results: {@code out[r, n] = (sum[r, n] - offset[n]) * scale[n] * rowScale[r] + bias[n]}.
     *
     * @param sums int [rows, count]
     * @param rowScales fp32 [rows]
     * @param offsets int [count]: what {@link #OFFSET} added to each sum
     * @param scales fp32 [count]
     * @param bias address of fp32 [count], or 0
     * @param out fp32 [count], of the first row
     * @param outBytes from one row of {@code out} to the next
     */
    public void restore(
            long sums,
            int rows,
            int count,
            long rowScales,
            long offsets,
            long scales,
            long bias,
            long out,
            long outBytes) {
        try {
            restoreRows.invokeExact(sums, rows, count, rowScales, offsets, scales, bias, out, outBytes);
        } catch (Throwable e) {
            throw Separate.rethrown(e);
        }
    }

    private static void restoreRows(
            long sums,
            int rows,
            int count,
            long rowScales,
            long offsets,
            long scales,
            long bias,
            long out,
            long outBytes) {
        for (int r = 0; r < rows; r++) {
            float rowScale = Lanes.getFloat(rowScales + r * Lanes.FLOAT_BYTES);
            long row = sums + r * count * Lanes.FLOAT_BYTES;
            restoreRow(row, count, rowScale, offsets, scales, bias, out + r * outBytes);
        }
    }

    private static void restoreRow(
            long sums, int count, float rowScale, long offsets, long scales, long bias, long out) {
        for (int i = 0; i < count; i += Lanes.L) {
            long at = i * Lanes.FLOAT_BYTES;
            int valid = count - i;
            IntVector sum = Lanes.loadInts(sums + at, valid).sub(Lanes.loadInts(offsets + at, valid));
            FloatVector value = ((FloatVector) sum.convertShape(VectorOperators.I2F, Lanes.F, 0))
                    .mul(Lanes.load(scales + at, valid))
                    .mul(rowScale);
            if (bias != 0) {
                value = value.add(Lanes.load(bias + at, valid));
            }
            Lanes.store(value, out + at, valid);
        }
    }
}
