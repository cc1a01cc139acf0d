package dev.tsumugi.engine.train;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.OwnedMemory;
import dev.tsumugi.engine.tensor.Tensor;
import java.util.HashMap;
import java.util.Map;

/** Buffers by name that grow to the largest use, for values that do not outlive an operation or a layer. */
final class Scratchpad implements AutoCloseable {
    static final String SHRUNK = "shrunk";
    static final String DROPPED = "dropped";

    private final Backend backend;
    private final Map<String, Tensor> tensors = new HashMap<>();

    Scratchpad(Backend backend) {
        this.backend = backend;
    }

    /** [rows, width] or more; what it held is lost when it grows. */
    Tensor rows(String name, int rows, int width) {
        long elements = Math.max(1, (long) rows * width);
        Tensor tensor = tensors.get(name);
        if (tensor == null || tensor.shape().elements() < elements) {
            if (tensor != null) {
                ((OwnedMemory) tensor.memory()).close();
            }
            tensor = backend.allocate(DType.F32, elements);
            tensors.put(name, tensor);
        }
        return tensor;
    }

    @Override
    public void close() {
        tensors.values().forEach(tensor -> ((OwnedMemory) tensor.memory()).close());
        tensors.clear();
    }
}
