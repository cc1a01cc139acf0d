package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.tensor.OwnedMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Zeroed off-heap memory of its own, aligned to a cache line. */
final class ArenaMemory implements OwnedMemory {
    private static final int ALIGNMENT = 64;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment segment;

    ArenaMemory(long bytes) {
        segment = arena.allocate(bytes, ALIGNMENT);
    }

    @Override
    public long byteSize() {
        return segment.byteSize();
    }

    @Override
    public MemorySegment segment() {
        return segment;
    }

    @Override
    public void close() {
        if (segment.scope().isAlive()) {
            arena.close();
        }
    }
}
