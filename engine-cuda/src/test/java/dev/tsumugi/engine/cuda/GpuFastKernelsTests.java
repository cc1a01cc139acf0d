package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.KernelContract;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.tensor.DType;
import org.junit.jupiter.api.Tag;

/** The kernels with tensor cores on a real device. */
@Tag("gpu")
class GpuFastKernelsTests extends KernelContract {
    @Override
    protected Backend open() {
        return RealDevice.backend(Precision.FAST);
    }

    @Override
    protected double linearTolerance(DType dtype, int rows) {
        return FastEmulatedKernelsTests.tolerance(rows);
    }

    @Override
    protected double attentionTolerance() {
        return FastEmulatedKernelsTests.ATTENTION_TOLERANCE;
    }
}
