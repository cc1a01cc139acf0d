package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.OwnedMemory;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where a model lives and computes: it owns memory, threads or a device, and offers {@link Kernels} over them. Several backends can be open
 * in one process; tensors, weights and caches of one are no good to another. What a backend handed out is closed before the backend.
 */
public interface Backend extends AutoCloseable {

    /** As in the setting {@code backend=...}. */
    String name();

    Kernels kernels();

    /** @return {@code bytes} zero bytes, aligned to at least 64 */
    OwnedMemory allocate(long bytes);

    /** A zeroed tensor with memory of its own, to be freed by {@link OwnedMemory#close} of its {@link Tensor#memory}. */
    default Tensor allocate(DType dtype, long... dimensions) {
        Shape shape = new Shape(dimensions);
        return new Tensor(dtype, shape, allocate(dtype.bytes(shape.elements())), 0);
    }

    /**
     * Copies host values to memory of this backend.
     *
     * @param values [n]
     * @return F32 [n], freed like one of {@link #allocate}
     */
    Tensor upload(float[] values);

    /**
     * Copies the first {@code count} values of an F32 tensor to the host, after all earlier operations are done.
     *
     * @throws IllegalArgumentException when either side is shorter
     */
    void download(Tensor tensor, float[] values, int count);

    /**
     * Copies host values over the first elements of an F32 tensor, after all earlier operations are done.
     *
     * @throws IllegalArgumentException when the tensor is shorter
     */
    default void write(Tensor tensor, float[] values) {
        Sizes.require("tensor", tensor, values.length);
        MemorySegment.copy(values, 0, tensor.segment(), ValueLayout.JAVA_FLOAT_UNALIGNED, 0, values.length);
    }

    /**
     * Brings an embedding table within reach of {@link Kernels#embed}, in its own type. On the CPU this is the tensor itself, so the file must
     * stay open.
     *
     * @param table [V, C] in host memory, of any type
     */
    EmbeddingTable prepareTable(Tensor table);

    /**
     * Until {@code kept} is closed, {@link #prepare} takes what it can from there, and brings there what it packs. Nothing happens where weights
     * are not packed.
     */
    default void keepPacked(PackedWeights kept) {}

    /**
     * Packs a matrix for {@link Kernels#linear}, in the layout this backend computes from. The host tensor is not needed afterwards.
     *
     * @param matrix [N, K] in host memory, of any type; block types need whole blocks per row
     */
    Weight prepare(Tensor matrix);

    /** As {@link #prepare}, for queries, keys and values: of all layers, they bear rounding worst. */
    default Weight prepareAttentionInput(Tensor matrix) {
        return prepare(matrix);
    }

    /**
     * Packs a matrix that training multiplies many rows with, in its own direction or, for the gradient by a layer's input, the other way round.
     * Compact forms for few rows are left out where a backend has better ones for many.
     *
     * @param matrix [N, K] in host memory, of any type
     * @param transposed packs the [K, N] transpose instead
     * @param coarse whether products with it bear rounding to 8 bits
     */
    default Weight prepareForTraining(Tensor matrix, boolean transposed, boolean coarse) {
        Tensor either = transposed ? Transposed.copy(matrix) : matrix;
        try {
            return coarse ? prepare(either) : prepareAttentionInput(either);
        } finally {
            if (transposed && either.memory() instanceof OwnedMemory copy) {
                copy.close();
            }
        }
    }

    /** Bytes that {@link #prepareForTraining} takes for each number of a matrix, about. */
    default double trainingBytesPerWeight(boolean coarse) {
        return 4;
    }

    /**
     * Packs a matrix in NF4 for products that read its codes.
     *
     * @return null where this backend rather computes with what the codes stand for: {@link Nf4Matrix#dequantize} and {@link
     *     #prepareForTraining}
     */
    default @Nullable Weight prepareNf4(Nf4Matrix matrix) {
        return null;
    }

    /**
     * A packed weight the other way round, for the gradient by a layer's input, without memory of its own; it is closed first.
     *
     * @return null where {@link #prepareForTraining} is to pack the transpose instead
     */
    default @Nullable Weight turned(Weight weight) {
        return null;
    }

    /**
     * Bytes that a frozen matrix takes for each of its numbers, both ways round, about.
     *
     * @param stored type in the model's files
     * @param nf4 whether it is rounded to NF4
     * @param coarseForward as in {@link #prepareForTraining}, of the forward product
     * @param coarseGradient the same of the gradient's
     */
    default double frozenBytesPerWeight(DType stored, boolean nf4, boolean coarseForward, boolean coarseGradient) {
        return trainingBytesPerWeight(coarseForward) + trainingBytesPerWeight(coarseGradient);
    }

    /**
     * The operations of training.
     *
     * @throws UnsupportedOperationException when this backend cannot train
     */
    default TrainingKernels trainingKernels() {
        throw new UnsupportedOperationException("backend " + name() + " cannot train; use auto, onednn or vector");
    }

    /**
     * Brings the updates of one adapter to this backend. Unlike other methods, this one may be called while another thread computes. The host
     * tensors are not needed afterwards.
     *
     * @param sources by number; null where there is no update
     */
    LowRankUpdates prepareLowRank(List<@Nullable LowRankSource> sources);

    /**
     * Keys and values of all layers of one model.
     *
     * @param storage F32 or BF16 (rounded to nearest even)
     * @throws IllegalArgumentException for another storage type or a size below 1
     */
    PagedCache newCache(int layers, int blocks, int blockTokens, int keyValueHeads, int headSize, DType storage);

    /** Bytes that one block of {@link #newCache} takes, padding included. */
    long cacheBlockBytes(int layers, int blockTokens, int keyValueHeads, int headSize, DType storage);

    @Override
    void close();
}
