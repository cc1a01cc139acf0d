package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.tensor.Tensor;

/** An embedding table that is read where it lies, row by row. */
record HostTable(Tensor tensor) implements EmbeddingTable {

    HostTable {
        Sizes.requireMatrix(tensor);
        Sizes.requireNumbers(tensor.dtype());
    }

    @Override
    public int rows() {
        return (int) tensor.shape().get(0);
    }

    @Override
    public int width() {
        return (int) tensor.shape().get(1);
    }

    @Override
    public void close() {}

    static Tensor of(EmbeddingTable table) {
        if (table instanceof HostTable host) {
            return host.tensor();
        }
        throw new IllegalArgumentException("the embedding table is of another backend");
    }
}
