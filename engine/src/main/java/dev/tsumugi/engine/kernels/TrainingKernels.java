package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.OwnedMemory;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * What training computes beyond {@link Kernels}: small products with matrices that change, and the backward of each operation of a forward
 * pass. Everything is F32 and row-major; {@code dX} is the gradient of the loss by {@code x}. A result has the same bits every time it is
 * computed, however many threads share the work. One thread at a time calls.
 *
 * <p>Every operation throws {@link IllegalArgumentException} when sizes do not fit.
 */
public interface TrainingKernels {

    /**
     * {@code out = a b}, or {@code out += a b}.
     *
     * @param out [M, N], contiguous rows
     * @param a [M, K], either way round
     * @param b [K, N], either way round; rows of {@code a} must be contiguous where its columns are
     */
    void product(MatrixView out, MatrixView a, MatrixView b, boolean add);

    /**
     * {@link Kernels#linear} with small products added: {@code out = x W^T + bias}, and {@code += left right} for the columns of each.
     *
     * @param out [rows, N]
     * @param x [rows, K]
     */
    void linear(Tensor out, Tensor x, int rows, Weight weight, @Nullable Tensor bias, Addend... addends);

    /**
     * A product that is added to some columns.
     *
     * @param left [rows, R]
     * @param right [R, columns], contiguous rows
     */
    record Addend(MatrixView left, MatrixView right, int firstColumn) {
        public Addend {
            if (left.columns() != right.rows() || right.columnStride() != 1 || firstColumn < 0) {
                throw new IllegalArgumentException("[" + left.rows() + ", " + left.columns() + "] times ["
                        + right.rows() + ", " + right.columns() + "] cannot be added from column " + firstColumn);
            }
        }
    }

    /** {@code x[i] = 0} for the first {@code count} elements. */
    default void clear(Tensor x, long count) {
        Sizes.require("x", x, count);
        x.segment().asSlice(0, 4 * count).fill((byte) 0);
    }

    /**
     * {@code out[r] = x[rows[r]]}.
     *
     * @param out [R, width]
     * @param rows [R]
     */
    default void gather(Tensor out, Tensor x, int[] rows, int width) {
        Sizes.requireRows(out, x, rows, width);
        long bytes = 4L * width;
        for (int r = 0; r < rows.length; r++) {
            MemorySegment.copy(x.segment(), rows[r] * bytes, out.segment(), r * bytes, bytes);
        }
    }

    /**
     * {@code out[rows[r]] = x[r]}; other rows stay.
     *
     * @param x [R, width]
     * @param rows [R], each once
     */
    default void scatter(Tensor out, Tensor x, int[] rows, int width) {
        Sizes.requireRows(x, out, rows, width);
        long bytes = 4L * width;
        for (int r = 0; r < rows.length; r++) {
            MemorySegment.copy(x.segment(), r * bytes, out.segment(), rows[r] * bytes, bytes);
        }
    }

    /** Sum of the squares of the first {@code count} elements, in double precision. */
    default double sumOfSquares(Tensor x, long count) {
        Sizes.require("x", x, count);
        MemorySegment segment = x.segment();
        double sum = 0;
        for (long i = 0; i < count; i++) {
            double value = segment.getAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, i);
            sum += value * value;
        }
        return sum;
    }

    /** Zeroed memory of the host for an optimizer's moments, where this backend wants it of a kind of its own; null: any will do. */
    default @Nullable OwnedMemory momentMemory(long bytes) {
        return null;
    }

    /**
     * AdamW over some numbers, with moments of 32 bits in memory of the host.
     *
     * @param offset first number, of {@code count}
     * @param moments [2, count] F32: first, then second
     */
    default void adamW(Tensor values, Tensor gradients, long offset, int count, MemorySegment moments, AdamWStep step) {
        Sizes.requireAdamW(values, gradients, offset, count);
        HostAdamW.update(values, gradients, offset, count, moments, step);
    }

    /**
     * As {@link #adamW}, with moments of 8 bits (arXiv 2110.02861) and the arithmetic of bitsandbytes' CUDA kernel: decay after the update, the
     * first moment keeps its sign, and NaN and infinite gradients change nothing.
     */
    default void adamW8Bit(Tensor values, Tensor gradients, long offset, BlockMoments moments, AdamWStep step) {
        Sizes.requireAdamW(values, gradients, offset, moments.count());
        HostAdamW.update8Bit(values, gradients, offset, moments.count(), moments, step);
    }

    /** Waits until {@link #adamW} and {@link #adamW8Bit} have written the moments, which nobody reads before. */
    default void awaitMoments() {}

    /** {@code out[i] = x[i] * factor}. {@code out} may be {@code x}. */
    void scale(Tensor out, Tensor x, int count, float factor);

    /**
     * {@code dX += } the gradient by the input of {@link Kernels#rmsNorm}.
     *
     * @param dX [rows, width]
     * @param dOut [rows, width]
     * @param x [rows, width], the input of the forward pass
     */
    void rmsNormBackward(Tensor dX, Tensor dOut, Tensor x, int rows, int width, Tensor weight, float epsilon);

    /** As {@link #rmsNormBackward}, of {@link Kernels#layerNorm}. */
    void layerNormBackward(Tensor dX, Tensor dOut, Tensor x, int rows, int width, Tensor weight, float epsilon);

    /**
     * {@link Kernels#rmsNorm} of some heads of each row.
     *
     * @param out [rows, stride]; only these heads are written. May be {@code x}.
     * @param x [rows, stride]
     * @param firstHead of {@code heads}, each of {@code headSize} elements
     * @param weight [headSize]
     */
    void headNorm(
            Tensor out,
            Tensor x,
            int rows,
            int stride,
            int firstHead,
            int heads,
            int headSize,
            Tensor weight,
            float epsilon);

    /**
     * Gradient of {@link #headNorm}, in place: the heads of {@code dX} hold the gradient by the output before and that by the input after.
     *
     * @param x [rows, stride], the input of the forward pass
     */
    void headNormBackward(
            Tensor dX,
            Tensor x,
            int rows,
            int stride,
            int firstHead,
            int heads,
            int headSize,
            Tensor weight,
            float epsilon);

    /**
     * Rotary position embedding in place of the first heads of each row, first half of the rotary dimensions against the second ({@link
     * RopeLayout#HALVES}).
     *
     * @param x [T, stride]
     * @param positions [T]
     * @param cosines [positions, R/2]; like sines never changed afterwards, as a backend may keep a copy
     * @param sines [positions, R/2]
     * @param pairs R/2
     * @param backward turns back, which is the gradient
     */
    void rope(
            Tensor x,
            int stride,
            int heads,
            int headSize,
            int[] positions,
            float[] cosines,
            float[] sines,
            int pairs,
            boolean backward);

    /**
     * Causal attention within each sequence: {@code out[t, h] = sum over p of softmax(scale * q[t, h] . k[p, g]) * v[p, g]}, over tokens p of
     * t's sequence up to t.
     *
     * @param out [T, H, D]
     * @param logSums [T, H]: logarithm of the softmax's denominator, for {@link #attentionBackward}
     * @param heads [T, H + 2 G, D]: queries, keys, values of each token
     */
    void attention(Tensor out, Tensor logSums, Tensor heads, AttentionShape shape);

    /**
     * @param dHeads [T, H + 2 G, D], overwritten
     * @param dOut [T, H, D]
     * @param out what {@link #attention} gave
     * @param logSums what {@link #attention} gave
     */
    void attentionBackward(Tensor dHeads, Tensor dOut, Tensor out, Tensor logSums, Tensor heads, AttentionShape shape);

    /** What gates and ups of {@code width} each are best kept in from the forward pass to the backward: F32, or BF16 where factors are. */
    default DType keptType(int width) {
        return DType.F32;
    }

    /**
     * {@code out = silu(gate) * up}.
     *
     * @param out [rows, width]
     * @param gateUp [rows, 2 * width]: gate, then up; F32, or a {@code kept} one of before
     * @param kept [rows, 2 * width] of {@link #keptType} that gets {@code gateUp} rounded; null where that is kept itself
     */
    void swiGlu(Tensor out, Tensor gateUp, @Nullable Tensor kept, int rows, int width);

    /**
     * @param dGateUp [rows, 2 * width], overwritten. May be {@code gateUp} where that is F32.
     * @param dOut [rows, width]
     * @param gateUp F32, or a {@code kept} one of {@link #swiGlu}
     */
    void swiGluBackward(Tensor dGateUp, Tensor dOut, Tensor gateUp, int rows, int width);

    /**
     * {@link Kernels#geluErf} or {@link Kernels#geluTanh} into another tensor.
     *
     * @param tanh the approximation
     */
    void gelu(Tensor out, Tensor x, int count, boolean tanh);

    /** {@code dX = dOut * gelu'(x)}. {@code dX} may be {@code dOut}. */
    void geluBackward(Tensor dX, Tensor dOut, Tensor x, int count, boolean tanh);

    /**
     * Sum over the rows of {@code (1 - smoothing) * -log p(target) + smoothing * mean over the vocabulary of -log p}. The logits become {@code
     * gradientScale} times its gradient by them.
     *
     * @param logits [rows, V]
     * @param targets [rows]
     * @param gradientScale 0: the logits stay as they are
     */
    double crossEntropy(Tensor logits, int[] targets, int rows, int vocabulary, double smoothing, float gradientScale);

    /**
     * {@code out = x / (1 - probability)} where a number drawn for the element says so, else 0. Equal seeds draw equal numbers.
     *
     * @param out [rows, width]. May be {@code x}.
     */
    void dropout(Tensor out, Tensor x, int rows, int width, int seed, float probability);

    /**
     * Sequences side by side in one row of tokens, none of which sees another.
     *
     * @param starts [S + 1] first token of each sequence, and T
     * @param heads H, a multiple of {@code keyValueHeads}
     * @param keyValueHeads G
     * @param headSize D
     * @param window tokens a query sees, itself included; 0: all
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record AttentionShape(int[] starts, int heads, int keyValueHeads, int headSize, int window, float scale) {
        public int tokens() {
            return starts[starts.length - 1];
        }

        /** Elements of a row of queries, keys and values. */
        public int stride() {
            return (heads + 2 * keyValueHeads) * headSize;
        }

        /** @throws IllegalArgumentException when the shape is none, or a tensor of {@link #attention} too small for it */
        public void require(Tensor out, Tensor logSums, Tensor states) {
            if (heads < 1 || keyValueHeads < 1 || heads % keyValueHeads != 0) {
                throw new IllegalArgumentException(heads + " query heads over " + keyValueHeads + " key/value heads");
            }
            for (int s = 0; s + 1 < starts.length; s++) {
                if (starts[s] >= starts[s + 1] || starts[0] != 0) {
                    throw new IllegalArgumentException(
                            "sequence " + s + " begins at " + starts[s] + " and ends before " + starts[s + 1]);
                }
            }
            long tokens = tokens();
            Sizes.require("out", out, tokens * heads * headSize);
            Sizes.require("log sums", logSums, tokens * heads);
            Sizes.require("heads", states, tokens * stride());
        }
    }
}
