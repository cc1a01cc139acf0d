package dev.tsumugi.engine.tensor;

import java.lang.foreign.MemorySegment;

/** Memory of this process: allocated off-heap, or a mapped file. */
public record HostMemory(MemorySegment segment) implements Memory {
    @Override
    public long byteSize() {
        return segment.byteSize();
    }
}
