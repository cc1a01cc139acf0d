package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.model.GoldenModelContract;

/** Golden models through the GPU backend and its kernels. */
class EmulatedGoldenModelTests extends GoldenModelContract {
    @Override
    protected Backend open() {
        return Emulation.backend(Precision.EXACT);
    }
}
