package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.model.GoldenModelContract;
import org.junit.jupiter.api.Tag;

/** Golden models on a real device. */
@Tag("gpu")
class GpuGoldenModelTests extends GoldenModelContract {
    @Override
    protected Backend open() {
        return RealDevice.backend(Precision.EXACT);
    }
}
