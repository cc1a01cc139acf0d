package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.KernelContract;
import dev.tsumugi.engine.kernels.Precision;
import org.junit.jupiter.api.Tag;

/** The kernels in fp32 on a real device. */
@Tag("gpu")
class GpuExactKernelsTests extends KernelContract {
    @Override
    protected Backend open() {
        return RealDevice.backend(Precision.EXACT);
    }
}
