package dev.tsumugi.engine.model;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Backends;
import dev.tsumugi.engine.kernels.Precision;

/** Golden GGUF files in the Vector API. */
class VectorGoldenGgufTests extends GoldenGgufContract {
    @Override
    protected Backend open() {
        return Backends.open("vector", 2, Precision.EXACT);
    }
}
