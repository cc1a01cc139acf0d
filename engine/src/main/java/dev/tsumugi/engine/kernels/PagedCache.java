package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.tensor.DType;

/**
 * Keys and values in blocks of {@link #blockTokens} positions, in a layout that only its backend knows. It does not track who owns a block.
 */
public interface PagedCache extends AutoCloseable {
    int layers();

    int blocks();

    int blockTokens();

    int keyValueHeads();

    int headSize();

    DType storage();

    @Override
    void close();
}
