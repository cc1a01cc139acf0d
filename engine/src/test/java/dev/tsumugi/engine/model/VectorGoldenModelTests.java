package dev.tsumugi.engine.model;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Backends;
import dev.tsumugi.engine.kernels.Precision;

/** Golden models in the Vector API. */
class VectorGoldenModelTests extends GoldenModelContract {
    @Override
    protected Backend open() {
        return Backends.open("vector", 2, Precision.EXACT);
    }
}
