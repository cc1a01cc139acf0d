package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.model.GoldenAdapterContract;

/** Golden adapters through the GPU backend and its kernels. */
class EmulatedGoldenAdapterTests extends GoldenAdapterContract {
    @Override
    protected Backend open() {
        return Emulation.backend(Precision.EXACT);
    }
}
