package dev.tsumugi.engine.model;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Backends;
import dev.tsumugi.engine.kernels.Precision;

/** Golden adapters in scalar Java. */
class ReferenceGoldenAdapterTests extends GoldenAdapterContract {
    @Override
    protected Backend open() {
        return Backends.open("reference", 2, Precision.EXACT);
    }
}
