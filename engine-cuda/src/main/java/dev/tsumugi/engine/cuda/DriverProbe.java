package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.BackendProvider.Availability;

/** Finds out whether the backend can run here: first by the dynamic linker alone, so that a machine without a driver pays nothing. */
final class DriverProbe {
    private DriverProbe() {}

    static Availability availability() {
        CudaDriver driver;
        try {
            driver = CudaDriver.ofThisMachine();
        } catch (IllegalArgumentException e) {
            return Availability.no("there is no NVIDIA driver (" + CudaDriver.LIBRARY
                    + "); on a machine with a GPU install driver 580 or later, in a container use the NVIDIA runtime");
        } catch (IllegalCallerException e) {
            return Availability.no("start Java with --enable-native-access=ALL-UNNAMED");
        } catch (UnsatisfiedLinkError e) {
            return Availability.no(e.getMessage() + "; install driver 580 or later");
        }
        return availability(driver, DeviceCode.isPresent());
    }

    static Availability availability(CudaDriver driver, boolean code) {
        if (!code) {
            return Availability.no("this build carries no device code; build with -Pcuda (docs/gpu.md)");
        }
        try {
            int version = driver.integer("cuDriverGetVersion", driver.driverGetVersion);
            if (version < DeviceCode.CUDA_VERSION) {
                return Availability.no("the NVIDIA driver knows CUDA " + version / 1000 + "." + version % 1000 / 10
                        + ", the kernels need " + DeviceCode.CUDA_VERSION / 1000 + "."
                        + DeviceCode.CUDA_VERSION % 1000 / 10 + "; install driver 580 or later");
            }
            driver.call("cuInit", driver.init, 0);
            if (driver.integer("cuDeviceGetCount", driver.deviceGetCount) == 0) {
                return Availability.no("the NVIDIA driver sees no GPU; look at CUDA_VISIBLE_DEVICES and nvidia-smi");
            }
            return Availability.yes();
        } catch (CudaException e) {
            return Availability.no(String.valueOf(e.getMessage()));
        }
    }
}
