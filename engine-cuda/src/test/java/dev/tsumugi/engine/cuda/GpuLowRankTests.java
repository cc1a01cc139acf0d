package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.LowRankContract;
import dev.tsumugi.engine.kernels.Precision;
import org.junit.jupiter.api.Tag;

/** Low-rank updates on a real device. */
@Tag("gpu")
class GpuLowRankTests extends LowRankContract {
    @Override
    protected Backend open(Precision precision) {
        return RealDevice.backend(precision);
    }
}
