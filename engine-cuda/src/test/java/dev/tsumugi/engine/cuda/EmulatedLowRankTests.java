package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.LowRankContract;
import dev.tsumugi.engine.kernels.Precision;

/** Low-rank updates by the GPU's kernels. */
class EmulatedLowRankTests extends LowRankContract {
    @Override
    protected Backend open(Precision precision) {
        return Emulation.backend(precision);
    }
}
