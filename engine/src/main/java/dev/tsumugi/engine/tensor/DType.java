package dev.tsumugi.engine.tensor;

/**
 * Element types, plain and block-quantized. A block type stores {@link #blockElements} values in {@link #blockBytes} bytes; rows are whole
 * blocks. Layouts: the GGUF specification (ggml docs/gguf.md) and ggml's block structures; NF4 as bitsandbytes lays it out.
 */
public enum DType {
    F32(1, 4),
    F16(1, 2),
    BF16(1, 2),
    U8(1, 1),
    I8(1, 1),
    I32(1, 4),
    I64(1, 8),
    Q4_0(32, 18),
    Q4_1(32, 20),
    Q5_0(32, 22),
    Q5_1(32, 24),
    Q8_0(32, 34),
    Q2_K(256, 84),
    Q3_K(256, 110),
    Q4_K(256, 144),
    Q5_K(256, 176),
    Q6_K(256, 210);

    private final int blockElements;
    private final int blockBytes;

    DType(int blockElements, int blockBytes) {
        this.blockElements = blockElements;
        this.blockBytes = blockBytes;
    }

    public int blockElements() {
        return blockElements;
    }

    public int blockBytes() {
        return blockBytes;
    }

    public boolean isQuantized() {
        return blockElements > 1;
    }

    /**
     * @param elements a whole number of blocks
     * @throws IllegalArgumentException when a block would be cut
     * @throws ArithmeticException when the size does not fit a long
     */
    public long bytes(long elements) {
        if (elements < 0 || elements % blockElements != 0) {
            throw new IllegalArgumentException(elements + " elements are no whole number of " + this + " blocks");
        }
        return Math.multiplyExact(elements / blockElements, (long) blockBytes);
    }
}
