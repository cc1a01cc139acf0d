package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * One block of a quantized row, unpacked to small integers: element i is {@code scales[i / group] * values[i] + minimums[i / group]}. Source
 * of the layouts: ggml's block structures, which the GGUF specification refers to.
 */
final class QuantizedBlock {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final DType dtype;
    /** Elements that share a scale. */
    final int group;

    final byte[] values;
    final float[] scales;
    final float[] minimums;

    QuantizedBlock(DType dtype) {
        this.dtype = dtype;
        group = dtype == DType.Q6_K ? 16 : 32;
        values = new byte[dtype.blockElements()];
        scales = new float[values.length / group];
        minimums = new float[values.length / group];
    }

    /** Types that this class unpacks. */
    static boolean reads(DType dtype) {
        return switch (dtype) {
            case Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K -> true;
            default -> false;
        };
    }

    /** Whether values lie between 0 and 15. */
    static boolean isNibble(DType dtype) {
        return dtype == DType.Q4_0 || dtype == DType.Q4_1 || dtype == DType.Q4_K;
    }

    /** Whether the minimum is anything but a fixed multiple of the scale. */
    static boolean hasMinimum(DType dtype) {
        return switch (dtype) {
            case Q4_1, Q5_1, Q4_K, Q5_K -> true;
            default -> false;
        };
    }

    void read(MemorySegment source, long offset) {
        switch (dtype) {
            case Q4_0 -> {
                scales[0] = half(source, offset);
                minimums[0] = -8 * scales[0];
                nibbles(source, offset + 2);
            }
            case Q4_1 -> {
                scales[0] = half(source, offset);
                minimums[0] = half(source, offset + 2);
                nibbles(source, offset + 4);
            }
            case Q5_0 -> {
                scales[0] = half(source, offset);
                minimums[0] = 0;
                nibbles(source, offset + 6);
                fifthBits(source.get(INT, offset + 2), 16);
            }
            case Q5_1 -> {
                scales[0] = half(source, offset);
                minimums[0] = half(source, offset + 2);
                nibbles(source, offset + 8);
                fifthBits(source.get(INT, offset + 4), 0);
            }
            case Q8_0 -> {
                scales[0] = half(source, offset);
                MemorySegment.copy(source, ValueLayout.JAVA_BYTE, offset + 2, values, 0, 32);
            }
            case Q4_K -> {
                sixBitScales(source, offset);
                nibblePairs(source, offset + 16);
            }
            case Q5_K -> {
                sixBitScales(source, offset);
                nibblePairs(source, offset + 48);
                for (int i = 0; i < 256; i++) {
                    int bits = source.get(ValueLayout.JAVA_BYTE, offset + 16 + i % 32);
                    values[i] |= (byte) ((bits >>> i / 32 & 1) << 4);
                }
            }
            case Q6_K -> sixBitValues(source, offset);
            default -> throw new IllegalStateException(dtype + " is not unpacked here");
        }
    }

    private static float half(MemorySegment source, long offset) {
        return Float.float16ToFloat(source.get(SHORT, offset));
    }

    /** 16 bytes: the low halves are elements 0 to 15, the high halves 16 to 31. */
    private void nibbles(MemorySegment source, long offset) {
        for (int i = 0; i < 16; i++) {
            byte pair = source.get(ValueLayout.JAVA_BYTE, offset + i);
            values[i] = (byte) (pair & 15);
            values[i + 16] = (byte) (pair >>> 4 & 15);
        }
    }

    private void fifthBits(int bits, int zero) {
        for (int i = 0; i < 32; i++) {
            values[i] = (byte) ((values[i] | (bits >>> i & 1) << 4) - zero);
        }
    }

    /** 128 bytes: of every 32 the low halves are one group of elements, the high halves the next. */
    private void nibblePairs(MemorySegment source, long offset) {
        for (int i = 0; i < 256; i++) {
            byte pair = source.get(ValueLayout.JAVA_BYTE, offset + i / 64 * 32 + i % 32);
            values[i] = (byte) (i % 64 < 32 ? pair & 15 : pair >>> 4 & 15);
        }
    }

    /** Two halves and 12 bytes of eight 6-bit scales and minimums: the first four plain, the last four split over the spare bits. */
    private void sixBitScales(MemorySegment source, long offset) {
        float scale = half(source, offset);
        float minimum = half(source, offset + 2);
        for (int g = 0; g < 8; g++) {
            int scaleBits;
            int minimumBits;
            if (g < 4) {
                scaleBits = packed(source, offset, g) & 63;
                minimumBits = packed(source, offset, g + 4) & 63;
            } else {
                scaleBits = packed(source, offset, g + 4) & 15 | packed(source, offset, g - 4) >> 6 << 4;
                minimumBits = packed(source, offset, g + 4) >> 4 | packed(source, offset, g) >> 6 << 4;
            }
            scales[g] = scale * scaleBits;
            minimums[g] = -(minimum * minimumBits);
        }
    }

    private static int packed(MemorySegment source, long offset, int index) {
        return source.get(ValueLayout.JAVA_BYTE, offset + 4 + index) & 0xff;
    }

    /** 128 bytes of low four bits, 64 of high two bits, 16 scales, and the scale of scales. */
    private void sixBitValues(MemorySegment source, long offset) {
        float scale = half(source, offset + 208);
        for (int i = 0; i < 256; i++) {
            int half = i / 128;
            int within = i % 128;
            int low = source.get(ValueLayout.JAVA_BYTE, offset + half * 64 + within % 64) & 0xff;
            int high = source.get(ValueLayout.JAVA_BYTE, offset + 128 + half * 32 + within % 32) & 0xff;
            int lowBits = within < 64 ? low & 15 : low >> 4;
            int highBits = high >> within / 32 * 2 & 3;
            values[i] = (byte) ((lowBits | highBits << 4) - 32);
        }
        for (int g = 0; g < 16; g++) {
            scales[g] = scale * source.get(ValueLayout.JAVA_BYTE, offset + 192 + g);
        }
    }
}
