package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.train.GoldenTrainingContract;

/** Recorded training by the GPU's kernels. */
class EmulatedGoldenTrainingTests extends GoldenTrainingContract {
    @Override
    protected Backend open() {
        return Emulation.backend(Precision.EXACT);
    }
}
