package dev.tsumugi.engine.kernels;

import org.jspecify.annotations.Nullable;

/** Off-heap memory that grows to the largest request and keeps nothing between requests. */
final class Scratch implements AutoCloseable {
    private @Nullable ArenaMemory memory;

    /** An address, aligned to a cache line, with at least {@code bytes} behind it; earlier ones may be gone. */
    long address(long bytes) {
        ArenaMemory current = memory;
        if (current == null || current.byteSize() < bytes) {
            close();
            current = new ArenaMemory(Math.max(4096, Long.highestOneBit(bytes - 1) << 1));
            memory = current;
        }
        return current.segment().address();
    }

    @Override
    public void close() {
        if (memory != null) {
            memory.close();
            memory = null;
        }
    }
}
