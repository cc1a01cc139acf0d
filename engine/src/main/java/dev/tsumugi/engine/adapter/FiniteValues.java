package dev.tsumugi.engine.adapter;

import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Looks for infinities and NaN by their exponent, which is all ones. */
final class FiniteValues {
    private static final int CHUNK = 4096;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private FiniteValues() {}

    /** @param tensor F32, F16 or BF16 in host memory */
    static boolean areAll(Tensor tensor) {
        MemorySegment segment = tensor.segment();
        long count = tensor.shape().elements();
        return switch (tensor.dtype()) {
            case F32 -> areAllInts(segment, count);
            case F16 -> areAllShorts(segment, count, 0x7c00);
            case BF16 -> areAllShorts(segment, count, 0x7f80);
            default -> throw new IllegalArgumentException("values of type " + tensor.dtype());
        };
    }

    /** In chunks and by maximum, which the virtual machine turns into vector instructions. */
    private static boolean areAllInts(MemorySegment segment, long count) {
        int[] chunk = new int[CHUNK];
        for (long from = 0; from < count; from += CHUNK) {
            int size = (int) Math.min(CHUNK, count - from);
            MemorySegment.copy(segment, INT, from * Integer.BYTES, chunk, 0, size);
            int largest = 0;
            for (int i = 0; i < size; i++) {
                largest = Math.max(largest, chunk[i] & 0x7f800000);
            }
            if (largest == 0x7f800000) {
                return false;
            }
        }
        return true;
    }

    private static boolean areAllShorts(MemorySegment segment, long count, int exponent) {
        short[] chunk = new short[CHUNK];
        for (long from = 0; from < count; from += CHUNK) {
            int size = (int) Math.min(CHUNK, count - from);
            MemorySegment.copy(segment, SHORT, from * Short.BYTES, chunk, 0, size);
            int largest = 0;
            for (int i = 0; i < size; i++) {
                largest = Math.max(largest, chunk[i] & exponent);
            }
            if (largest == exponent) {
                return false;
            }
        }
        return true;
    }
}
