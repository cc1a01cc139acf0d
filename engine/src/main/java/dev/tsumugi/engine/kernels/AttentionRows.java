package dev.tsumugi.engine.kernels;

import static java.lang.invoke.MethodHandles.lookup;

import java.lang.invoke.MethodHandle;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Rows of attention scores, for backends that multiply tiles of them in bfloat16. A row lies in pieces of as many columns each, all but the last
 * of which are full, one tile apart. Columns are padded to whole vectors. Callers answer for sizes: addresses are not checked.
 */
public final class AttentionRows {
    private static final long HALF_BYTES = Short.BYTES;

    private final MethodHandle exponentials = Separate.method(
            lookup(),
            "exponentials",
            long.class,
            long.class,
            int.class,
            int.class,
            float.class,
            float.class,
            long.class);
    private final MethodHandle slopes = Separate.method(
            lookup(),
            "slopes",
            long.class,
            long.class,
            long.class,
            long.class,
            int.class,
            int.class,
            float.class,
            float.class,
            float.class);

    /** Writes zeros to {@code bytes}, a multiple of 2. */
    public static void clear(long address, long bytes) {
        Lanes.zero(address, bytes & -4L);
        if ((bytes & 2) != 0) {
            Lanes.setShort(address + bytes - 2, (short) 0);
        }
    }

    /** {@code out[i] = x[i] * factor}, fp32. */
    public static void scale(long x, long out, int count, float factor) {
        for (int i = 0; i < count; i += Lanes.L) {
            long at = i * Lanes.FLOAT_BYTES;
            Lanes.store(Lanes.load(x + at, count - i).mul(factor), out + at, count - i);
        }
    }

    /** {@code a . b}, fp32 [count]. */
    public static float dot(long a, long b, int count) {
        FloatVector sum = FloatVector.zero(Lanes.F);
        for (int i = 0; i < count; i += Lanes.L) {
            long at = i * Lanes.FLOAT_BYTES;
            sum = Lanes.load(a + at, count - i).fma(Lanes.load(b + at, count - i), sum);
        }
        return Lanes.sum(sum);
    }

    /** {@code out = } sum of {@code rows} rows of fp32 [count], {@code apart} bytes apart. */
    public static void sum(long x, long apart, int rows, long out, int count) {
        for (int i = 0; i < count; i += Lanes.L) {
            long at = i * Lanes.FLOAT_BYTES;
            FloatVector sum = Lanes.load(x + at, count - i);
            for (int r = 1; r < rows; r++) {
                sum = sum.add(Lanes.load(x + r * apart + at, count - i));
            }
            Lanes.store(sum, out + at, count - i);
        }
    }

    /**
     * From scores to weights in bfloat16 that are not yet divided by their sum: {@code exp(scale * (score - largest))} of columns {@code from}
     * until {@code end}, and 0 of the others up to {@code width}.
     *
     * @param scores fp32, overwritten
     * @param scoresApart bytes from a piece to the next
     * @param piece columns of a piece, a multiple of whole vectors
     * @param scale above 0
     * @param total address of a float that gets the sum of the weights
     * @return the logarithm of the sum of {@code exp(scale * score)}
     */
    public float softmax(
            long scores,
            long scoresApart,
            long weights,
            long weightsApart,
            int piece,
            int from,
            int end,
            int width,
            float scale,
            long total) {
        float largest = Float.NEGATIVE_INFINITY;
        for (int first = from / piece * piece; first < end; first += piece) {
            long row = scores + first / piece * scoresApart;
            int begin = Math.max(0, from - first);
            int behind = Math.min(piece, end - first);
            hide(row, begin, behind);
            largest = Math.max(largest, largest(row, begin & -Lanes.L, behind));
        }
        largest *= scale;
        Lanes.setFloat(total, 0);
        for (int first = 0; first < width; first += piece) {
            int columns = Math.min(piece, width - first);
            int begin = Math.clamp(from - first, 0, columns) & -Lanes.L;
            int behind = VectorCache.padded(Math.clamp(end - first, 0, columns));
            long to = weights + first / piece * weightsApart;
            clear(to, begin * HALF_BYTES);
            if (begin < behind) {
                long row = scores + first / piece * scoresApart;
                try {
                    exponentials.invokeExact(row, to, begin, behind, scale, largest, total);
                } catch (Throwable e) {
                    throw Separate.rethrown(e);
                }
            }
            clear(to + behind * HALF_BYTES, (columns - behind) * HALF_BYTES);
        }
        return (float) (largest + Math.log(Lanes.getFloat(total)));
    }

    /** Infinitely low scores for what shares a vector with the first or the last that is seen. */
    private static void hide(long row, int from, int end) {
        for (int i = from & -Lanes.L; i < from; i++) {
            Lanes.setFloat(row + i * Lanes.FLOAT_BYTES, Float.NEGATIVE_INFINITY);
        }
        for (int i = end; i < VectorCache.padded(end); i++) {
            Lanes.setFloat(row + i * Lanes.FLOAT_BYTES, Float.NEGATIVE_INFINITY);
        }
    }

    private static float largest(long row, int begin, int end) {
        FloatVector most = FloatVector.broadcast(Lanes.F, Float.NEGATIVE_INFINITY);
        for (int i = begin; i < end; i += Lanes.L) {
            most = most.max(Lanes.load(row + i * Lanes.FLOAT_BYTES));
        }
        return most.reduceLanes(VectorOperators.MAX);
    }

    /** Adds the sum to the float at {@code total}. */
    private static void exponentials(long row, long to, int begin, int behind, float scale, float largest, long total) {
        FloatVector sums = FloatVector.zero(Lanes.F);
        for (int i = begin; i < behind; i += Lanes.L) {
            FloatVector score = Lanes.load(row + i * Lanes.FLOAT_BYTES);
            FloatVector value = VectorMath.exp(score.mul(scale).sub(largest));
            sums = sums.add(value);
            Lanes.storeBFloat16(value, to + i * HALF_BYTES);
        }
        Lanes.setFloat(total, Lanes.getFloat(total) + Lanes.sum(sums));
    }

    /**
     * Gradient of a softmax within one piece of a row: with {@code p = exp(scale * score - logSum)} of columns {@code from} until {@code end} and
     * 0 of the others up to {@code width}, writes p and {@code scale * p * (slope - shared)}, both in bfloat16.
     *
     * @param scores fp32, overwritten
     * @param weightSlopes fp32: gradient by the weights
     * @param logSum what {@link #softmax} returned
     * @param shared sum over the row of weights times slopes
     */
    public void softmaxBackward(
            long scores,
            long weightSlopes,
            long weights,
            long scoreSlopes,
            int from,
            int end,
            int width,
            float scale,
            float logSum,
            float shared) {
        int begin = Math.clamp(from, 0, width) & -Lanes.L;
        int behind = VectorCache.padded(Math.clamp(end, 0, width));
        if (begin < behind) {
            hide(scores, Math.max(from, begin), Math.min(end, behind));
        }
        clear(weights, begin * HALF_BYTES);
        clear(scoreSlopes, begin * HALF_BYTES);
        try {
            slopes.invokeExact(scores, weightSlopes, weights, scoreSlopes, begin, behind, scale, logSum, shared);
        } catch (Throwable e) {
            throw Separate.rethrown(e);
        }
        clear(weights + behind * HALF_BYTES, (width - behind) * HALF_BYTES);
        clear(scoreSlopes + behind * HALF_BYTES, (width - behind) * HALF_BYTES);
    }

    private static void slopes(
            long scores,
            long slopes,
            long weights,
            long scoreSlopes,
            int begin,
            int behind,
            float scale,
            float logSum,
            float shared) {
        for (int i = begin; i < behind; i += Lanes.L) {
            long at = i * Lanes.FLOAT_BYTES;
            FloatVector p = VectorMath.exp(Lanes.load(scores + at).mul(scale).sub(logSum));
            FloatVector slope = Lanes.load(slopes + at).sub(shared).mul(p).mul(scale);
            Lanes.storeBFloat16(p, weights + i * HALF_BYTES);
            Lanes.storeBFloat16(slope, scoreSlopes + i * HALF_BYTES);
        }
    }
}
