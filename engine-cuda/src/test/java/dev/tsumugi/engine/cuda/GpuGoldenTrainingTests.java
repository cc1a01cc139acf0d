package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.train.GoldenTrainingContract;
import org.junit.jupiter.api.Tag;

/** Recorded training on a real device. */
@Tag("gpu")
class GpuGoldenTrainingTests extends GoldenTrainingContract {
    @Override
    protected Backend open() {
        return RealDevice.backend(Precision.EXACT);
    }
}
