package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.model.GoldenGgufContract;

/** Golden GGUF files through the GPU backend and its kernels. */
class EmulatedGoldenGgufTests extends GoldenGgufContract {
    @Override
    protected Backend open() {
        return Emulation.backend(Precision.EXACT);
    }
}
