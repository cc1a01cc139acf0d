package dev.tsumugi.engine.model;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.OwnedMemory;
import dev.tsumugi.engine.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/** An activation buffer [rows, width] that grows with the largest batch seen, so that decode steps allocate nothing. */
final class Workspace implements AutoCloseable {
    private final Backend backend;
    private final int width;
    private @Nullable Tensor tensor;

    Workspace(Backend backend, int width) {
        this.backend = backend;
        this.width = width;
    }

    /** The buffer with room for {@code rows}; what it held is lost when it grows. */
    Tensor rows(int rows) {
        Tensor current = tensor;
        if (current != null && rows <= current.shape().get(0)) {
            return current;
        }
        close();
        // Room for a little more, so that a batch that grows by one sequence does not allocate each time.
        Tensor grown = backend.allocate(DType.F32, rows == 1 ? 1 : rows + 15 & -16, width);
        tensor = grown;
        return grown;
    }

    @Override
    public void close() {
        if (tensor != null) {
            ((OwnedMemory) tensor.memory()).close();
            tensor = null;
        }
    }
}
