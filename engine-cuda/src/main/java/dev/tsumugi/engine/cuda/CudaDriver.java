package dev.tsumugi.engine.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;

/**
 * The functions of the CUDA driver that the backend calls. Pointers of the device, handles and addresses are plain longs. Source of names,
 * parameters and codes: cuda.h of CUDA 13.0.
 */
final class CudaDriver {
    static final String LIBRARY = System.getProperty("os.name").startsWith("Windows") ? "nvcuda.dll" : "libcuda.so.1";

    private static final int SUCCESS = 0;
    private static final int NAME_BYTES = 256;

    private final SymbolLookup symbols;
    private final MethodHandle errorName;
    private final MethodHandle errorString;

    final MethodHandle init;
    final MethodHandle driverGetVersion;
    final MethodHandle deviceGetCount;
    final MethodHandle deviceGet;
    final MethodHandle deviceGetName;
    final MethodHandle deviceGetAttribute;
    final MethodHandle contextRetain;
    final MethodHandle contextRelease;
    final MethodHandle contextSetCurrent;
    final MethodHandle memoryInfo;
    final MethodHandle memoryAllocate;
    final MethodHandle memoryFree;
    final MethodHandle hostAllocate;
    final MethodHandle hostFree;
    final MethodHandle copyToDevice;
    final MethodHandle copyToDeviceAsync;
    final MethodHandle copyToHostAsync;
    final MethodHandle fillAsync;
    final MethodHandle streamCreate;
    final MethodHandle streamDestroy;
    final MethodHandle streamSynchronize;
    final MethodHandle streamWaitEvent;
    final MethodHandle eventCreate;
    final MethodHandle eventRecord;
    final MethodHandle eventDestroy;
    final MethodHandle captureBegin;
    final MethodHandle captureEnd;
    final MethodHandle graphInstantiate;
    final MethodHandle graphLaunch;
    final MethodHandle graphExecDestroy;
    final MethodHandle graphDestroy;
    final MethodHandle moduleLoad;
    final MethodHandle moduleUnload;
    final MethodHandle moduleFunction;
    final MethodHandle launch;

    /** @throws UnsatisfiedLinkError when the driver lacks a function */
    CudaDriver(SymbolLookup symbols) {
        this.symbols = symbols;
        errorName = handle("cuGetErrorName", JAVA_INT, ADDRESS);
        errorString = handle("cuGetErrorString", JAVA_INT, ADDRESS);
        init = handle("cuInit", JAVA_INT);
        driverGetVersion = handle("cuDriverGetVersion", ADDRESS);
        deviceGetCount = handle("cuDeviceGetCount", ADDRESS);
        deviceGet = handle("cuDeviceGet", ADDRESS, JAVA_INT);
        deviceGetName = handle("cuDeviceGetName", ADDRESS, JAVA_INT, JAVA_INT);
        deviceGetAttribute = handle("cuDeviceGetAttribute", ADDRESS, JAVA_INT, JAVA_INT);
        contextRetain = handle("cuDevicePrimaryCtxRetain", ADDRESS, JAVA_INT);
        contextRelease = handle("cuDevicePrimaryCtxRelease_v2", JAVA_INT);
        contextSetCurrent = handle("cuCtxSetCurrent", JAVA_LONG);
        memoryInfo = handle("cuMemGetInfo_v2", ADDRESS, ADDRESS);
        memoryAllocate = handle("cuMemAlloc_v2", ADDRESS, JAVA_LONG);
        memoryFree = handle("cuMemFree_v2", JAVA_LONG);
        hostAllocate = handle("cuMemHostAlloc", ADDRESS, JAVA_LONG, JAVA_INT);
        hostFree = handle("cuMemFreeHost", ADDRESS);
        copyToDevice = handle("cuMemcpyHtoD_v2", JAVA_LONG, ADDRESS, JAVA_LONG);
        copyToDeviceAsync = handle("cuMemcpyHtoDAsync_v2", JAVA_LONG, ADDRESS, JAVA_LONG, JAVA_LONG);
        copyToHostAsync = handle("cuMemcpyDtoHAsync_v2", ADDRESS, JAVA_LONG, JAVA_LONG, JAVA_LONG);
        fillAsync = handle("cuMemsetD8Async", JAVA_LONG, JAVA_BYTE, JAVA_LONG, JAVA_LONG);
        streamCreate = handle("cuStreamCreate", ADDRESS, JAVA_INT);
        streamDestroy = handle("cuStreamDestroy_v2", JAVA_LONG);
        streamSynchronize = handle("cuStreamSynchronize", JAVA_LONG);
        streamWaitEvent = handle("cuStreamWaitEvent", JAVA_LONG, JAVA_LONG, JAVA_INT);
        eventCreate = handle("cuEventCreate", ADDRESS, JAVA_INT);
        eventRecord = handle("cuEventRecord", JAVA_LONG, JAVA_LONG);
        eventDestroy = handle("cuEventDestroy_v2", JAVA_LONG);
        captureBegin = handle("cuStreamBeginCapture_v2", JAVA_LONG, JAVA_INT);
        captureEnd = handle("cuStreamEndCapture", JAVA_LONG, ADDRESS);
        graphInstantiate = handle("cuGraphInstantiateWithFlags", ADDRESS, JAVA_LONG, JAVA_LONG);
        graphLaunch = handle("cuGraphLaunch", JAVA_LONG, JAVA_LONG);
        graphExecDestroy = handle("cuGraphExecDestroy", JAVA_LONG);
        graphDestroy = handle("cuGraphDestroy", JAVA_LONG);
        moduleLoad = handle("cuModuleLoadData", ADDRESS, ADDRESS);
        moduleUnload = handle("cuModuleUnload", JAVA_LONG);
        moduleFunction = handle("cuModuleGetFunction", ADDRESS, JAVA_LONG, ADDRESS);
        launch = handle(
                "cuLaunchKernel",
                JAVA_LONG,
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_LONG,
                ADDRESS,
                ADDRESS);
    }

    /**
     * The machine's driver.
     *
     * @throws IllegalArgumentException when there is no such library
     */
    static CudaDriver ofThisMachine() {
        return new CudaDriver(SymbolLookup.libraryLookup(LIBRARY, Arena.global()));
    }

    private MethodHandle handle(String function, MemoryLayout... parameters) {
        MemorySegment symbol = symbols.find(function)
                .orElseThrow(() -> new UnsatisfiedLinkError("the NVIDIA driver is too old: it lacks " + function));
        return Linker.nativeLinker().downcallHandle(symbol, FunctionDescriptor.of(JAVA_INT, parameters));
    }

    /**
     * Calls a function; {@code what} names it in errors.
     *
     * @throws CudaException when it does not answer success
     */
    void call(String what, MethodHandle function, Object... arguments) {
        check(what, codeOf(function, arguments));
    }

    /** @throws CudaException unless {@code code} says success */
    void check(String what, int code) {
        if (code != SUCCESS) {
            throw new CudaException(what, code, text(errorName, code), text(errorString, code));
        }
    }

    /** As {@link #call}, for functions that a process cannot do anything about when they fail. */
    static int codeOf(MethodHandle function, Object... arguments) {
        try {
            return (int) function.invokeWithArguments(arguments);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    /** What a function writes through its first parameter, an integer. */
    int integer(String what, MethodHandle function, Object... further) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_INT);
            call(what, function, with(out, further));
            return out.get(JAVA_INT, 0);
        }
    }

    /** What a function writes through its first parameter, a handle or an address. */
    long handle(String what, MethodHandle function, Object... further) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_LONG);
            call(what, function, with(out, further));
            return out.get(JAVA_LONG, 0);
        }
    }

    /** What a function writes through its last parameter, a handle. */
    long lastHandle(String what, MethodHandle function, Object first) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_LONG);
            call(what, function, first, out);
            return out.get(JAVA_LONG, 0);
        }
    }

    /** Name of a device. */
    String name(int device) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(NAME_BYTES);
            call("cuDeviceGetName", deviceGetName, out, NAME_BYTES, device);
            return out.getString(0);
        }
    }

    private static Object[] with(MemorySegment first, Object... further) {
        Object[] all = new Object[further.length + 1];
        all[0] = first;
        System.arraycopy(further, 0, all, 1, further.length);
        return all;
    }

    private static String text(MethodHandle function, int code) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ADDRESS);
            if (codeOf(function, code, out) != SUCCESS) {
                return "an error unknown to this driver";
            }
            return out.get(ADDRESS, 0).reinterpret(Long.MAX_VALUE).getString(0);
        }
    }
}
