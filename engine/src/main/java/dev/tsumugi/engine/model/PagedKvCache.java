package dev.tsumugi.engine.model;

import dev.tsumugi.engine.kernels.PagedCache;

/** The cache of a model, as its backend laid it out. */
record PagedKvCache(PagedCache pages) implements KvCache {

    static PagedCache of(KvCache cache) {
        if (cache instanceof PagedKvCache paged) {
            return paged.pages();
        }
        throw new IllegalArgumentException("the cache was not made by this model");
    }

    @Override
    public int blocks() {
        return pages.blocks();
    }

    @Override
    public int blockTokens() {
        return pages.blockTokens();
    }

    @Override
    public void close() {
        pages.close();
    }
}
