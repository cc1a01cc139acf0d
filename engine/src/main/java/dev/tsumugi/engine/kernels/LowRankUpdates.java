package dev.tsumugi.engine.kernels;

/** Numbered low-rank updates as their backend prepared them, one adapter of one model; immutable, shared by all who compute with it. */
public interface LowRankUpdates extends AutoCloseable {
    /** How many numbers there are, those without an update among them. */
    int count();

    /** Bytes the prepared form takes. */
    long byteSize();

    /** Frees them; no operation may be using them. Closing twice does nothing. */
    @Override
    void close();
}
