package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.model.GoldenGgufContract;
import org.junit.jupiter.api.Tag;

/** Golden GGUF files on a real device. */
@Tag("gpu")
class GpuGoldenGgufTests extends GoldenGgufContract {
    @Override
    protected Backend open() {
        return RealDevice.backend(Precision.EXACT);
    }
}
