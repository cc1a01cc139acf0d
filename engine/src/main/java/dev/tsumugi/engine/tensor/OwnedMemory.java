package dev.tsumugi.engine.tensor;

/** Memory that whoever asked for it frees again. */
public interface OwnedMemory extends Memory, AutoCloseable {
    /** Frees the bytes; tensors over them must not be used any more. Closing twice does nothing. */
    @Override
    void close();
}
