package dev.tsumugi.engine.model;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.EmbeddingTable;
import dev.tsumugi.engine.kernels.Weight;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Brings weights from files to a backend, checks every shape against the configuration, and frees all it brought, the files
 * too, on {@link #close}.
 */
final class WeightLoader implements AutoCloseable {
    private final ModelFiles files;
    private final Backend backend;
    private final List<AutoCloseable> owned = new ArrayList<>();

    WeightLoader(ModelFiles files, Backend backend) {
        this.files = files;
        this.backend = backend;
    }

    ModelFiles files() {
        return files;
    }

    Backend backend() {
        return backend;
    }

    Weight matrix(String name, int outputs, int inputs) {
        return owned(backend.prepare(required(name, outputs, inputs)));
    }

    /** A matrix of queries, keys or values. */
    Weight attentionInput(String name, int outputs, int inputs) {
        return prepareAttentionInput(required(name, outputs, inputs));
    }

    Weight prepareAttentionInput(Tensor matrix) {
        return owned(backend.prepareAttentionInput(matrix));
    }

    private Weight owned(Weight weight) {
        owned.add(weight::close);
        return weight;
    }

    EmbeddingTable table(String name, int rows, int width) {
        EmbeddingTable table = backend.prepareTable(required(name, rows, width));
        owned.add(table::close);
        return table;
    }

    Tensor vector(String name, int size) {
        return upload(Floats.of(required(name, size), size));
    }

    @Nullable
    Tensor optionalVector(String name, int size) {
        return files.tensor(name).isPresent() ? vector(name, size) : null;
    }

    Tensor upload(float[] values) {
        Tensor tensor = backend.upload(values);
        owned.add(((AutoCloseable) tensor.memory())::close);
        return tensor;
    }

    /** The tensor as it is in the file. */
    Tensor required(String name, long... dimensions) {
        Tensor tensor = files.tensor(name)
                .orElseThrow(() -> new IllegalArgumentException("the model lacks the weight " + name));
        Shape expected = new Shape(dimensions);
        if (!tensor.shape().equals(expected)) {
            throw new IllegalArgumentException(
                    "weight " + name + " has shape " + tensor.shape() + ", the configuration asks for " + expected);
        }
        return tensor;
    }

    boolean has(String name) {
        return files.tensor(name).isPresent();
    }

    @Override
    public void close() {
        for (AutoCloseable resource : owned.reversed()) {
            try {
                resource.close();
            } catch (Exception e) {
                throw new IllegalStateException("a weight could not be freed", e);
            }
        }
        owned.clear();
        files.close();
    }
}
