package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.tensor.OwnedMemory;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;

/** Zeroed memory of the host that the device copies from and to by itself, beside what it computes. */
final class PinnedMemory implements OwnedMemory {
    private final Device device;
    private final MemorySegment segment;
    private final AtomicBoolean closed = new AtomicBoolean();

    PinnedMemory(Device device, long bytes) {
        this.device = device;
        segment = device.pinned(Math.max(1, bytes)).asSlice(0, bytes);
        segment.fill((byte) 0);
    }

    @Override
    public long byteSize() {
        return segment.byteSize();
    }

    @Override
    public MemorySegment segment() {
        if (closed.get()) {
            throw new IllegalStateException("pinned memory is used after it was freed");
        }
        return segment;
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            device.unpin(segment);
        }
    }
}
