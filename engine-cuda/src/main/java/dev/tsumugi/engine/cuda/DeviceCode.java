package dev.tsumugi.engine.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;

/** The compiled kernels inside of this jar: a fatbin with code for several generations of GPUs, where it was built with {@code -Pcuda}. */
final class DeviceCode {
    static final String RESOURCE = "kernels.fatbin";
    /** Version of the toolkit whose code a driver must know, as the driver tells its own: 1000 * major + 10 * minor. */
    static final int CUDA_VERSION = 13000;

    private DeviceCode() {}

    static boolean isPresent() {
        return DeviceCode.class.getResource(RESOURCE) != null;
    }

    /** @throws IllegalStateException when this build has none */
    static byte[] bytes() {
        try (InputStream in = DeviceCode.class.getResourceAsStream(RESOURCE)) {
            if (in == null) {
                throw new IllegalStateException("this build carries no device code");
            }
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
