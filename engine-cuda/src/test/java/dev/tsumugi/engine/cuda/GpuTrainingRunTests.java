package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.train.TrainingRunContract;
import org.junit.jupiter.api.Tag;

/** Whole training runs on a real device. */
@Tag("gpu")
class GpuTrainingRunTests extends TrainingRunContract {
    @Override
    protected Backend open() {
        return RealDevice.backend(Precision.EXACT);
    }
}
