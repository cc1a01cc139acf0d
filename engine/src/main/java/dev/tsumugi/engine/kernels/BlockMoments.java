package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.quant.BlockwiseInt8;
import java.lang.foreign.MemorySegment;

/**
 * AdamW's moments of one matrix in blocks of 8 bits ({@link BlockwiseInt8}), in host memory: a byte for each first moment, one for each second, and
 * from the next multiple of 4 bytes on the fp32 scales of the first ones' blocks, then of the second ones'.
 *
 * @param count numbers of the matrix
 */
public record BlockMoments(MemorySegment memory, int count) {

    /** Bytes that {@code count} numbers need. */
    public static long bytes(int count) {
        return scales(count) + 8L * Math.ceilDiv(count, BlockwiseInt8.BLOCK);
    }

    private static long scales(int count) {
        return 2L * count + 3 & -4L;
    }

    /** @throws IllegalArgumentException when the memory is of another size */
    public BlockMoments {
        if (memory.byteSize() != bytes(count)) {
            throw new IllegalArgumentException(
                    "moments of " + count + " numbers take " + bytes(count) + " bytes, not " + memory.byteSize());
        }
    }

    /** Where the scales begin, in bytes. */
    public long scales() {
        return scales(count);
    }

    public int blocks() {
        return Math.ceilDiv(count, BlockwiseInt8.BLOCK);
    }

    /** Makes all moments zero: bytes of 0 would be the lowest code of the signed map. */
    public void clear() {
        memory.asSlice(0, count).fill(BlockwiseInt8.signed().zero());
        memory.asSlice(count, count).fill(BlockwiseInt8.unsigned().zero());
        memory.asSlice(scales()).fill((byte) 0);
    }
}
