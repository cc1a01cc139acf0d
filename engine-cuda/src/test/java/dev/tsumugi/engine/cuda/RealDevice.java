package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.BackendProvider.Availability;
import dev.tsumugi.engine.kernels.Precision;
import org.junit.jupiter.api.Assumptions;

/** A GPU of this machine, for tests tagged {@code gpu}. */
final class RealDevice {
    private static final Availability AVAILABILITY = DriverProbe.availability();

    static {
        if (!AVAILABILITY.available()) {
            System.err.println("*** NO GPU IS TESTED: " + AVAILABILITY.reason() + " ***");
        }
    }

    private RealDevice() {}

    /** Skips the calling test where there is none. */
    static Backend backend(Precision precision) {
        Assumptions.assumeTrue(AVAILABILITY.available(), AVAILABILITY.reason());
        return new CudaBackend.Provider().open(1, precision);
    }
}
