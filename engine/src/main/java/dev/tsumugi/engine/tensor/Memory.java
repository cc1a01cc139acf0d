package dev.tsumugi.engine.tensor;

import java.lang.foreign.MemorySegment;

/** Bytes that a backend owns: an off-heap segment of this process, or memory of a device. */
public interface Memory {
    long byteSize();

    /**
     * The bytes as a segment of this process.
     *
     * @throws UnsupportedOperationException when they lie on a device
     */
    MemorySegment segment();
}
