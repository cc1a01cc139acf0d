package dev.tsumugi.engine.model;

/**
 * Paged keys and values of all sequences in flight. Who owns which block is the caller's business ({@code serve.BlockPool}); the cache is
 * memory only.
 */
public interface KvCache extends AutoCloseable {
    int blocks();

    int blockTokens();

    @Override
    void close();
}
