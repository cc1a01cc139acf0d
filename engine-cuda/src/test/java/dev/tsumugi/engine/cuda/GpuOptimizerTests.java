package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.train.OptimizerContract;
import org.junit.jupiter.api.Tag;

/** Recorded optimizer steps on a real device. */
@Tag("gpu")
class GpuOptimizerTests extends OptimizerContract {
    @Override
    protected Backend open() {
        return RealDevice.backend(Precision.EXACT);
    }
}
