package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Precision;

/** The operations of training by the GPU's kernels. */
class EmulatedTrainingKernelsTests extends TrainingKernelsContract {
    @Override
    Backend open(Precision precision) {
        return Emulation.backend(precision);
    }
}
