package dev.tsumugi.engine.cuda;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One GPU as this process uses it: its context, one stream in which everything happens in order, the module of our kernels, and memory up to a
 * budget that is fixed at the start. Memory may be taken and copied to by any thread; kernels are launched by one at a time.
 */
final class Device implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Device.class);

    /** Positions of {@code CUdevice_attribute}. */
    private static final int COMPUTE_MAJOR = 75;

    private static final int COMPUTE_MINOR = 76;
    private static final int PROCESSORS = 16;
    /** {@code CU_STREAM_NON_BLOCKING}: copies of other threads must not wait for kernels. */
    private static final int NON_BLOCKING = 1;
    /** {@code CU_EVENT_DISABLE_TIMING}. */
    private static final int NO_TIMING = 2;
    /** {@code CU_STREAM_CAPTURE_MODE_RELAXED}: other threads may allocate meanwhile. */
    private static final int RELAXED = 2;
    /** First generation with bfloat16 in its tensor cores (Ampere). */
    private static final int OLDEST_COMPUTE = 8;

    private static final long STAGING_BYTES = 4 << 20;

    private final CudaDriver driver;
    private final int ordinal;
    private final String name;
    private final int compute;
    private final int processors;
    private final long context;
    private final long stream;
    private final long module;
    private final MemorySegment staging;
    private final Map<String, Long> functions = new HashMap<>();
    private final long budget;
    private long taken;

    /**
     * @param image fatbin, cubin or PTX
     * @param share of the memory now free that this process may take
     */
    Device(CudaDriver driver, int ordinal, byte[] image, MemoryShare share) {
        this.driver = driver;
        driver.call("cuInit", driver.init, 0);
        this.ordinal = driver.integer("cuDeviceGet", driver.deviceGet, ordinal);
        name = driver.name(this.ordinal);
        int major = driver.integer("cuDeviceGetAttribute", driver.deviceGetAttribute, COMPUTE_MAJOR, this.ordinal);
        int minor = driver.integer("cuDeviceGetAttribute", driver.deviceGetAttribute, COMPUTE_MINOR, this.ordinal);
        compute = 10 * major + minor;
        if (major < OLDEST_COMPUTE) {
            throw new IllegalStateException("the GPU " + name + " has compute capability " + major + "." + minor
                    + "; 8.0 (Ampere) or later is needed");
        }
        processors = driver.integer("cuDeviceGetAttribute", driver.deviceGetAttribute, PROCESSORS, this.ordinal);
        context = driver.handle("cuDevicePrimaryCtxRetain", driver.contextRetain, this.ordinal);
        try {
            enter();
            stream = driver.handle("cuStreamCreate", driver.streamCreate, NON_BLOCKING);
            module = load(image);
            staging = pinned(STAGING_BYTES);
            budget = share.of(freeBytes());
        } catch (RuntimeException | Error e) {
            CudaDriver.codeOf(driver.contextRelease, this.ordinal);
            throw e;
        }
        log.info(
                "{}: compute capability {}.{}, {} processors, {} MiB of memory to use",
                name,
                major,
                minor,
                processors,
                budget >> 20);
    }

    private long load(byte[] image) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(image.length + 1L, 16);
            MemorySegment.copy(image, 0, bytes, JAVA_BYTE, 0, image.length);
            return driver.handle("cuModuleLoadData", driver.moduleLoad, bytes);
        }
    }

    String name() {
        return name;
    }

    /** Compute capability times ten. */
    int compute() {
        return compute;
    }

    /** Streaming multiprocessors. */
    int processors() {
        return processors;
    }

    /** Makes the device's context that of the calling thread, which every call of the driver needs. */
    void enter() {
        driver.call("cuCtxSetCurrent", driver.contextSetCurrent, context);
    }

    private long freeBytes() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_LONG, 2);
            driver.call("cuMemGetInfo", driver.memoryInfo, out, out.asSlice(Long.BYTES));
            return out.get(JAVA_LONG, 0);
        }
    }

    /** Bytes that may still be taken. */
    synchronized long remaining() {
        return budget - taken;
    }

    /**
     * @return address of memory that holds anything
     * @throws CudaException when the budget or the device has no more
     */
    long allocate(long bytes) {
        long size = Math.max(bytes, 1);
        synchronized (this) {
            if (size > budget - taken) {
                throw new CudaException(
                        "allocating " + (size >> 20) + " MiB on " + name,
                        2,
                        "the budget is used up",
                        (taken >> 20) + " of " + (budget >> 20) + " MiB are taken");
            }
            taken += size;
        }
        try {
            enter();
            return driver.handle("cuMemAlloc of " + (size >> 20) + " MiB", driver.memoryAllocate, size);
        } catch (RuntimeException | Error e) {
            give(size);
            throw e;
        }
    }

    private synchronized void give(long bytes) {
        taken -= bytes;
    }

    /** Waits for all that runs on the device, then frees. */
    void free(long address, long bytes) {
        enter();
        driver.call("cuMemFree", driver.memoryFree, address);
        give(Math.max(bytes, 1));
    }

    /** Fills with zeros, in the stream. */
    void clear(long address, long bytes) {
        if (bytes > 0) {
            enter();
            driver.call("cuMemsetD8Async", driver.fillAsync, address, (byte) 0, bytes, stream);
        }
    }

    /** Copies to the device at once, beside what the stream does. May be called by any thread. */
    void upload(MemorySegment from, long to) {
        if (from.byteSize() > 0) {
            enter();
            driver.call("cuMemcpyHtoD", driver.copyToDevice, to, from, from.byteSize());
        }
    }

    /** Copies to the device in the stream; {@code from} is pinned and stays as it is until the stream is there. */
    void uploadInStream(MemorySegment from, long bytes, long to) {
        if (bytes > 0) {
            driver.call("cuMemcpyHtoDAsync", driver.copyToDeviceAsync, to, from, bytes, stream);
        }
    }

    /** Waits for the stream and copies to the host. */
    void download(long from, float[] to, int count) {
        download(from, MemorySegment.ofArray(to).asSlice(0, (long) count * Float.BYTES));
    }

    /** As {@link #download(long, float[], int)}. */
    void download(long from, MemorySegment to) {
        enter();
        long bytes = to.byteSize();
        for (long at = 0; at < bytes; at += STAGING_BYTES) {
            long part = Math.min(STAGING_BYTES, bytes - at);
            driver.call("cuMemcpyDtoHAsync", driver.copyToHostAsync, staging, from + at, part, stream);
            synchronize();
            MemorySegment.copy(staging, 0, to, at, part);
        }
        if (bytes == 0) {
            synchronize();
        }
    }

    /** Waits until the stream has done all it was given. */
    void synchronize() {
        driver.call("cuStreamSynchronize", driver.streamSynchronize, stream);
    }

    /** The stream in which kernels run. */
    long stream() {
        return stream;
    }

    /** A stream beside {@link #stream}, to be freed by {@link #freeStream}. */
    long newStream() {
        enter();
        return driver.handle("cuStreamCreate", driver.streamCreate, NON_BLOCKING);
    }

    void freeStream(long other) {
        enter();
        driver.call("cuStreamDestroy", driver.streamDestroy, other);
    }

    /** Something that happens in a stream, and that another may wait for; to be freed by {@link #freeEvent}. */
    long newEvent() {
        enter();
        return driver.handle("cuEventCreate", driver.eventCreate, NO_TIMING);
    }

    void freeEvent(long event) {
        enter();
        driver.call("cuEventDestroy", driver.eventDestroy, event);
    }

    /** The event happens when {@code in} has done all it was given until now. */
    void record(long event, long in) {
        driver.call("cuEventRecord", driver.eventRecord, event, in);
    }

    /** {@code in} goes on when the event has happened; at once when it was never recorded. */
    void await(long event, long in) {
        driver.call("cuStreamWaitEvent", driver.streamWaitEvent, in, event, 0);
    }

    /** Copies from pinned memory in a stream. */
    void copyIn(MemorySegment from, long to, long in) {
        driver.call("cuMemcpyHtoDAsync", driver.copyToDeviceAsync, to, from, from.byteSize(), in);
    }

    /** Copies to pinned memory in a stream. */
    void copyOut(long from, MemorySegment to, long in) {
        driver.call("cuMemcpyDtoHAsync", driver.copyToHostAsync, to, from, to.byteSize(), in);
    }

    /** Waits until another stream has done all it was given. */
    void synchronize(long other) {
        driver.call("cuStreamSynchronize", driver.streamSynchronize, other);
    }

    /** Memory of this process that the device reads and writes by itself, to be freed by {@link #unpin}. */
    MemorySegment pinned(long bytes) {
        enter();
        return MemorySegment.ofAddress(driver.handle("cuMemHostAlloc", driver.hostAllocate, bytes, 0))
                .reinterpret(bytes);
    }

    void unpin(MemorySegment memory) {
        enter();
        driver.call("cuMemFreeHost", driver.hostFree, memory);
    }

    /**
     * Handle of a kernel.
     *
     * @throws CudaException when the module has none of that name
     */
    synchronized long function(String kernel) {
        return functions.computeIfAbsent(kernel, k -> {
            enter();
            try (Arena arena = Arena.ofConfined()) {
                return driver.handle(
                        "cuModuleGetFunction of " + k, driver.moduleFunction, module, arena.allocateFrom(k));
            }
        });
    }

    /** @param parameters addresses of the parameters, and null behind them */
    void launch(long function, int x, int y, int z, int threads, MemorySegment parameters) {
        int code;
        try {
            code = (int) driver.launch.invokeExact(
                    function, x, y, z, threads, 1, 1, 0, stream, parameters, MemorySegment.NULL);
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
        driver.check("cuLaunchKernel", code);
    }

    /** Records what {@code launches} launches, to be run by {@link #launchGraph} and freed by {@link #freeGraph}. */
    long graph(Runnable launches) {
        driver.call("cuStreamBeginCapture", driver.captureBegin, stream, RELAXED);
        long graph;
        try {
            launches.run();
        } finally {
            graph = driver.lastHandle("cuStreamEndCapture", driver.captureEnd, stream);
        }
        try {
            return driver.handle("cuGraphInstantiate", driver.graphInstantiate, graph, 0L);
        } finally {
            driver.call("cuGraphDestroy", driver.graphDestroy, graph);
        }
    }

    void launchGraph(long executable) {
        driver.call("cuGraphLaunch", driver.graphLaunch, executable, stream);
    }

    void freeGraph(long executable) {
        enter();
        driver.call("cuGraphExecDestroy", driver.graphExecDestroy, executable);
    }

    @Override
    public void close() {
        enter();
        // A context that is lost already cannot be cleaned up, and goes with the process.
        CudaDriver.codeOf(driver.streamSynchronize, stream);
        CudaDriver.codeOf(driver.hostFree, staging);
        CudaDriver.codeOf(driver.moduleUnload, module);
        CudaDriver.codeOf(driver.streamDestroy, stream);
        CudaDriver.codeOf(driver.contextRelease, ordinal);
    }
}
