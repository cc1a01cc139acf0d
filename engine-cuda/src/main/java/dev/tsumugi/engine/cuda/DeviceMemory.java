package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.tensor.Memory;
import dev.tsumugi.engine.tensor.OwnedMemory;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;

/** Memory of a GPU. */
final class DeviceMemory implements OwnedMemory {
    private final Device device;
    private final Runnable beforeFree;
    private final long address;
    private final long bytes;
    private final AtomicBoolean closed = new AtomicBoolean();

    /** @param beforeFree makes launches that may still read it */
    DeviceMemory(Device device, long bytes, Runnable beforeFree) {
        this.device = device;
        this.bytes = bytes;
        this.beforeFree = beforeFree;
        address = device.allocate(bytes);
    }

    /** Address on the device. */
    long address() {
        if (closed.get()) {
            throw new IllegalStateException("memory of the GPU is used after it was freed");
        }
        return address;
    }

    /** Address of a tensor's first byte. */
    static long address(Tensor tensor) {
        return of(tensor.memory()).address() + tensor.offset();
    }

    private static DeviceMemory of(Memory memory) {
        if (memory instanceof DeviceMemory own) {
            return own;
        }
        throw new IllegalArgumentException("the tensor is of another backend");
    }

    @Override
    public long byteSize() {
        return bytes;
    }

    @Override
    public MemorySegment segment() {
        throw new UnsupportedOperationException("the bytes lie on the GPU; download them");
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            beforeFree.run();
            device.free(address, bytes);
        }
    }
}
