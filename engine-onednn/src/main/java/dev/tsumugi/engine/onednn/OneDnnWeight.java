package dev.tsumugi.engine.onednn;

import dev.tsumugi.engine.kernels.Weight;
import org.jspecify.annotations.Nullable;

/**
 * A matrix twice: as the Vector API streams it for few rows, and packed for many.
 *
 * @param packed null where memory for packed copies ran out
 */
record OneDnnWeight(Weight vector, @Nullable PackedMatrix packed) implements Weight {
    @Override
    public int outputs() {
        return vector.outputs();
    }

    @Override
    public int inputs() {
        return vector.inputs();
    }

    @Override
    public long byteSize() {
        return vector.byteSize() + (packed == null ? 0 : packed.byteSize());
    }

    @Override
    public void close() {
        vector.close();
        if (packed != null) {
            packed.close();
        }
    }
}
