package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Precision;
import org.junit.jupiter.api.Tag;

/** Sampling on a real device. */
@Tag("gpu")
class GpuDrawTests extends DrawContract {
    @Override
    Backend open(Precision precision) {
        return RealDevice.backend(precision);
    }
}
