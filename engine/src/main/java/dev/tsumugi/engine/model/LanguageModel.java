package dev.tsumugi.engine.model;

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
    void forward(Batch batch, KvCache cache, float[] logits);

    /** Frees the weights; caches are closed by their owners before. */
    @Override
    void close();
}
