package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Precision;

/** Sampling by the GPU's kernels. */
class EmulatedDrawTests extends DrawContract {
    @Override
    Backend open(Precision precision) {
        return Emulation.backend(precision);
    }
}
