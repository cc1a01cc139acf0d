package dev.tsumugi.engine.onednn;

import dev.tsumugi.engine.kernels.Weight;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A matrix as the Vector API streams it for few rows, or packed for many, or both.
 *
 * @param vector null where only many rows are ever multiplied
 * @param packed null where memory for packed copies ran out
 */
record OneDnnWeight(@Nullable Weight vector, @Nullable PackedMatrix packed) implements Weight {
    OneDnnWeight {
        if (vector == null && packed == null) {
            throw new IllegalArgumentException("a weight needs one form at least");
        }
    }

    @Override
    public int outputs() {
        return vector == null ? Objects.requireNonNull(packed).outputs() : vector.outputs();
    }

    @Override
    public int inputs() {
        return vector == null ? Objects.requireNonNull(packed).inputs() : vector.inputs();
    }

    @Override
    public long byteSize() {
        return (vector == null ? 0 : vector.byteSize()) + (packed == null ? 0 : packed.byteSize());
    }

    @Override
    public void close() {
        if (vector != null) {
            vector.close();
        }
        if (packed != null) {
            packed.close();
        }
    }
}
