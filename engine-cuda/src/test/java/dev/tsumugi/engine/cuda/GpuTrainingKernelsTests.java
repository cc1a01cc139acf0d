package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Precision;
import org.junit.jupiter.api.Tag;

/** The operations of training on a real device. */
@Tag("gpu")
class GpuTrainingKernelsTests extends TrainingKernelsContract {
    @Override
    Backend open(Precision precision) {
        return RealDevice.backend(precision);
    }
}
