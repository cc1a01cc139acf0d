package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.train.OptimizerContract;

/** Recorded optimizer steps by the GPU's kernels. */
class EmulatedOptimizerTests extends OptimizerContract {
    @Override
    protected Backend open() {
        return Emulation.backend(Precision.EXACT);
    }
}
