package dev.tsumugi.engine.model;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Backends;
import dev.tsumugi.engine.kernels.Precision;

/** Golden adapters in the Vector API. */
class VectorGoldenAdapterTests extends GoldenAdapterContract {
    @Override
    protected Backend open() {
        return Backends.open("vector", 2, Precision.EXACT);
    }
}
