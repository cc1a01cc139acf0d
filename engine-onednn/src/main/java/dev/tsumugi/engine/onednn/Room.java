package dev.tsumugi.engine.onednn;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Memory that grows to the largest request and keeps nothing between requests. */
final class Room implements AutoCloseable {
    private static final long PAGE = 4096;

    private Arena arena = Arena.ofShared();
    private MemorySegment segment = MemorySegment.NULL;

    /** At least {@code bytes}, valid until the next call. */
    MemorySegment of(long bytes) {
        if (segment.byteSize() < bytes) {
            // Given up before more is asked for, so that a refusal leaves nothing that looks usable.
            segment = MemorySegment.NULL;
            arena.close();
            arena = Arena.ofShared();
            segment = arena.allocate(bytes, PAGE);
        }
        return segment;
    }

    @Override
    public void close() {
        arena.close();
    }
}
