package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.KernelContract;
import dev.tsumugi.engine.kernels.Precision;

/** The GPU's kernels in fp32 against the reference. */
class ExactEmulatedKernelsTests extends KernelContract {
    @Override
    protected Backend open() {
        return Emulation.backend(Precision.EXACT);
    }
}
