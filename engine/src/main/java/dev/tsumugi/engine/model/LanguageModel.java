package dev.tsumugi.engine.model;

import dev.tsumugi.engine.kernels.LowRankUpdates;
import dev.tsumugi.engine.tensor.Shape;
import java.util.Map;
import java.util.function.BooleanSupplier;

/**
 * Weights of one model on one backend, and the forward pass over them. Immutable and shared; per-request state is in the {@link KvCache}.
 * One thread at a time calls {@link #forward}.
 */
public interface LanguageModel extends AutoCloseable {

    ModelConfig config();

    /**
     * A cache for this model.
     *
     * @param blocks how many blocks of {@code blockTokens} tokens it holds
     */
    KvCache newCache(int blocks, int blockTokens);

    /** Bytes that one block of {@code blockTokens} tokens takes in {@link #newCache}. */
    long cacheBlockBytes(int blockTokens);

    /**
     * Runs {@code batch}: writes keys and values of its tokens into {@code cache} and the logits of its output rows into {@code logits}.
     *
     * @param logits [R][V] row-major, R = {@code batch.outputs().length}; longer arrays are left untouched behind that
     */
    default void forward(Batch batch, KvCache cache, float[] logits) {
        OutputRows outputs = OutputRows.into(logits, batch.outputs().length, config().vocabularySize());
        boolean unused = forward(batch, cache, outputs, () -> false);
    }

    /**
     * As {@link #forward(Batch, KvCache, float[])}, but gives of each output row what {@code outputs} asks for, and stops between two layers
     * when {@code abandoned} says so; keys and values of the batch and the outputs are then undefined.
     *
     * @param outputs begun for as many rows as the batch has outputs
     * @return whether it ran to the end
     */
    boolean forward(Batch batch, KvCache cache, OutputRows outputs, BooleanSupplier abandoned);

    /** Batches of up to so many tokens give each of them the bits that it gets alone. */
    int alikeRows();

    /** Linear layers that an adapter can change: Hugging Face name without {@code .weight}, and shape [N, K]; layer by layer, the head last. */
    Map<String, Shape> adaptableModules();

    /**
     * Brings an adapter to where this model computes. May be called while another thread runs {@link #forward}. What comes back is closed before
     * the model, and never while a batch with it runs; the host tensors are not needed afterwards.
     *
     * @param pairs by name of the linear layer
     * @throws IllegalArgumentException when this model has no such layer, or a shape does not fit it
     */
    LowRankUpdates prepareAdapter(Map<String, LowRankPair> pairs);

    /** Frees the weights; caches are closed by their owners before. */
    @Override
    void close();
}
