package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.kernels.BackendProvider.Availability;
import java.nio.ByteOrder;

/** Whether this JVM can run {@link VectorBackend}, found out without touching a class of the Vector API. */
final class VectorSupport {
    private VectorSupport() {}

    static Availability availability() {
        if (ModuleLayer.boot().findModule("jdk.incubator.vector").isEmpty()) {
            return Availability.no("Java was started without --add-modules jdk.incubator.vector");
        }
        if (ByteOrder.nativeOrder() != ByteOrder.LITTLE_ENDIAN) {
            return Availability.no("the processor is big-endian");
        }
        return Availability.yes();
    }
}
