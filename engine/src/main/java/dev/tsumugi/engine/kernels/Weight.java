package dev.tsumugi.engine.kernels;

/** A matrix [N, K] as its backend prepared it; immutable, shared by all who compute with it. */
public interface Weight extends AutoCloseable {
    /** N. */
    int outputs();

    /** K. */
    int inputs();

    /** Bytes the prepared form takes. */
    long byteSize();

    @Override
    void close();
}
