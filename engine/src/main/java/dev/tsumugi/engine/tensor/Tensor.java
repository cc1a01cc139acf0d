package dev.tsumugi.engine.tensor;

import java.lang.foreign.MemorySegment;

/**
 * A dense row-major array: type, shape and where its bytes are. It borrows its memory and never frees it.
 *
 * @param offset of the first byte in {@code memory}
 */
public record Tensor(DType dtype, Shape shape, Memory memory, long offset) {

    /** @throws IllegalArgumentException when the bytes that shape and type need are not all in {@code memory} */
    public Tensor {
        long bytes = dtype.bytes(shape.elements());
        if (offset < 0 || offset > memory.byteSize() - bytes) {
            throw new IllegalArgumentException("tensor of " + bytes + " bytes at offset " + offset
                    + " exceeds its memory of " + memory.byteSize() + " bytes");
        }
    }

    public long byteSize() {
        return dtype.bytes(shape.elements());
    }

    /** The bytes of this tensor alone; host memory only. */
    public MemorySegment segment() {
        return memory.segment().asSlice(offset, byteSize());
    }
}
