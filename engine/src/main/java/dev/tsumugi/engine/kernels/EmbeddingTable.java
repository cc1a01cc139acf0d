package dev.tsumugi.engine.kernels;

/** An embedding matrix [V, C] that {@link Kernels#embed} reads rows from. */
public interface EmbeddingTable extends AutoCloseable {
    /** V. */
    int rows();

    /** C. */
    int width();

    @Override
    void close();
}
