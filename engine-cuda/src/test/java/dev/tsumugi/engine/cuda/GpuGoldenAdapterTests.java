package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.model.GoldenAdapterContract;
import org.junit.jupiter.api.Tag;

/** Golden adapters on a real device. */
@Tag("gpu")
class GpuGoldenAdapterTests extends GoldenAdapterContract {
    @Override
    protected Backend open() {
        return RealDevice.backend(Precision.EXACT);
    }
}
