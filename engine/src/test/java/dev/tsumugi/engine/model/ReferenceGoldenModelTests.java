package dev.tsumugi.engine.model;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Backends;
import dev.tsumugi.engine.kernels.Precision;

/** Golden models in scalar Java. */
class ReferenceGoldenModelTests extends GoldenModelContract {
    @Override
    protected Backend open() {
        return Backends.open("reference", 2, Precision.EXACT);
    }
}
