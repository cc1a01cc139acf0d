package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.train.TrainingRunContract;

/** Whole training runs by the GPU's kernels. */
class EmulatedTrainingRunTests extends TrainingRunContract {
    @Override
    protected Backend open() {
        return Emulation.backend(Precision.EXACT);
    }
}
