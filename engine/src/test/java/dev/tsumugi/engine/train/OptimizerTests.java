package dev.tsumugi.engine.train;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.kernels.VectorBackend;

/** Recorded optimizer steps in memory of this process. */
class OptimizerTests extends OptimizerContract {
    @Override
    protected Backend open() {
        return new VectorBackend(1, Precision.EXACT);
    }
}
