package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Locale;

/**
 * How weights lie on the device (weights.cuh): the numbers of a file as they are, but codes of a row side by side and scales apart, so that eight
 * neighbouring weights are one aligned load. Source of the file's layouts: ggml's block structures.
 *
 * @param codeBits 4 or 8 of a code, low half of a byte first
 * @param highBits more bits of each code, in a plane of their own
 * @param zero what is added to a file's code before it is stored
 * @param scaleBytes of each {@code group} weights
 * @param group weights that share a scale
 * @param superBytes of each 256 weights
 */
record DeviceFormat(DType dtype, int codeBits, int highBits, int zero, int scaleBytes, int group, int superBytes) {

    /** @throws IllegalArgumentException for a type that holds no real numbers */
    static DeviceFormat of(DType dtype) {
        return switch (dtype) {
            case F32, F16, BF16 -> new DeviceFormat(dtype, 0, 0, 0, 0, 1, 0);
            case Q4_0 -> new DeviceFormat(dtype, 4, 0, 0, 2, 32, 0);
            case Q4_1 -> new DeviceFormat(dtype, 4, 0, 0, 4, 32, 0);
            case Q5_0 -> new DeviceFormat(dtype, 4, 1, 0, 2, 32, 0);
            case Q5_1 -> new DeviceFormat(dtype, 4, 1, 0, 4, 32, 0);
            case Q8_0 -> new DeviceFormat(dtype, 8, 0, 0, 2, 32, 0);
            case Q2_K -> new DeviceFormat(dtype, 4, 0, 0, 2, 16, 4);
            case Q3_K -> new DeviceFormat(dtype, 4, 0, 4, 1, 16, 2);
            case Q4_K -> new DeviceFormat(dtype, 4, 0, 0, 2, 32, 4);
            case Q5_K -> new DeviceFormat(dtype, 4, 1, 0, 2, 32, 4);
            case Q6_K -> new DeviceFormat(dtype, 4, 2, 0, 1, 16, 2);
            case U8, I8, I32, I64 ->
                throw new IllegalArgumentException("weights of type " + dtype + " are not supported");
        };
    }

    /** As kernels are called that read it. */
    String kernelSuffix() {
        return dtype.name().toLowerCase(Locale.ROOT);
    }

    private boolean plain() {
        return codeBits == 0;
    }

    /** Bytes of the planes of a matrix: codes, high bits, scales, supers. */
    long[] planes(long rows, long columns) {
        long count = Math.multiplyExact(rows, columns);
        if (plain()) {
            return new long[] {rows * (columns + 7 & ~7L) * dtype.blockBytes(), 0, 0, 0};
        }
        return new long[] {
            count * codeBits / 8, count * highBits / 8, count / group * scaleBytes, superBytes * (count / 256)
        };
    }

    /**
     * Repacks some rows.
     *
     * @param planes room for these rows, zeroed
     */
    void repack(Tensor matrix, long firstRow, int rows, MemorySegment[] planes) {
        long columns = matrix.shape().get(1);
        long rowBytes = dtype.bytes(columns);
        MemorySegment from = matrix.segment().asSlice(firstRow * rowBytes, rows * rowBytes);
        if (plain()) {
            long pitch = (columns + 7 & ~7L) * dtype.blockBytes();
            for (int r = 0; r < rows; r++) {
                MemorySegment.copy(from, r * rowBytes, planes[0], r * pitch, rowBytes);
            }
            return;
        }
        byte[] block = new byte[dtype.blockBytes()];
        int[] codes = new int[dtype.blockElements()];
        long blocks = rows * columns / dtype.blockElements();
        for (long b = 0; b < blocks; b++) {
            MemorySegment.copy(from, ValueLayout.JAVA_BYTE, b * block.length, block, 0, block.length);
            split(block, codes, planes[2], planes[3], b);
            store(codes, b * codes.length, planes[0], planes[1]);
        }
    }

    private void store(int[] codes, long at, MemorySegment low, MemorySegment high) {
        if (codeBits == 8) {
            for (int i = 0; i < codes.length; i++) {
                low.set(ValueLayout.JAVA_BYTE, at + i, (byte) codes[i]);
            }
            return;
        }
        for (int i = 0; i < codes.length; i += 2) {
            int pair = codes[i] + zero & 15 | (codes[i + 1] + zero & 15) << 4;
            low.set(ValueLayout.JAVA_BYTE, (at + i) / 2, (byte) pair);
        }
        int inByte = highBits == 0 ? codes.length : 8 / highBits;
        for (int i = 0; highBits > 0 && i < codes.length; i += inByte) {
            int bits = 0;
            for (int j = 0; j < inByte; j++) {
                bits |= codes[i + j] >> 4 << j * highBits;
            }
            high.set(ValueLayout.JAVA_BYTE, (at + i) / inByte, (byte) bits);
        }
    }

    /** Takes a block of the file apart: codes in their order, scales and supers to their planes. */
    private void split(byte[] in, int[] codes, MemorySegment scales, MemorySegment supers, long block) {
        switch (dtype) {
            case Q4_0 -> nibbles(in, 2, codes);
            case Q4_1 -> nibbles(in, 4, codes);
            case Q5_0 -> {
                nibbles(in, 6, codes);
                fifthBits(in, 2, codes);
            }
            case Q5_1 -> {
                nibbles(in, 8, codes);
                fifthBits(in, 4, codes);
            }
            case Q8_0 -> {
                for (int i = 0; i < 32; i++) {
                    codes[i] = in[2 + i];
                }
            }
            case Q2_K -> {
                for (int i = 0; i < 256; i++) {
                    codes[i] = twoBits(in, 16, i);
                }
                for (int s = 0; s < 16; s++) {
                    scales.set(ValueLayout.JAVA_BYTE, (block * 16 + s) * 2, (byte) (in[s] & 15));
                    scales.set(ValueLayout.JAVA_BYTE, (block * 16 + s) * 2 + 1, (byte) (in[s] >> 4 & 15));
                }
                copy(in, 80, supers, block * 4, 4);
            }
            case Q3_K -> {
                for (int i = 0; i < 256; i++) {
                    boolean third = (in[i % 32] >> i / 32 & 1) != 0;
                    codes[i] = twoBits(in, 32, i) - (third ? 0 : 4);
                }
                for (int s = 0; s < 16; s++) {
                    int low = in[96 + s % 8] >> s / 8 * 4 & 15;
                    int high = in[104 + s % 4] >> s / 4 * 2 & 3;
                    scales.set(ValueLayout.JAVA_BYTE, block * 16 + s, (byte) ((low | high << 4) - 32));
                }
                copy(in, 108, supers, block * 2, 2);
            }
            case Q4_K, Q5_K -> {
                int bytes = dtype == DType.Q4_K ? 16 : 48;
                for (int i = 0; i < 256; i++) {
                    codes[i] = in[bytes + i / 64 * 32 + i % 32] >> i / 32 % 2 * 4 & 15;
                    if (dtype == DType.Q5_K) {
                        codes[i] |= (in[16 + i % 32] >> i / 32 & 1) << 4;
                    }
                }
                for (int s = 0; s < 8; s++) {
                    scales.set(ValueLayout.JAVA_BYTE, (block * 8 + s) * 2, (byte) sixBits(in, s, 0));
                    scales.set(ValueLayout.JAVA_BYTE, (block * 8 + s) * 2 + 1, (byte) sixBits(in, s, 4));
                }
                copy(in, 0, supers, block * 4, 4);
            }
            case Q6_K -> {
                for (int i = 0; i < 256; i++) {
                    int half = i / 128;
                    int row = i % 128 / 32;
                    int low = in[half * 64 + row % 2 * 32 + i % 32] >> row / 2 * 4 & 15;
                    int high = in[128 + half * 32 + i % 32] >> row * 2 & 3;
                    codes[i] = low | high << 4;
                }
                copy(in, 192, scales, block * 16, 16);
                copy(in, 208, supers, block * 2, 2);
            }
            default -> throw new IllegalArgumentException("weights of type " + dtype + " have no blocks");
        }
        if (superBytes == 0) {
            copy(in, 0, scales, block * scaleBytes, scaleBytes);
        }
    }

    /** Value j of the first half of 32 is in the low bits of byte j, value j + 16 in its high bits. */
    private static void nibbles(byte[] in, int at, int[] codes) {
        for (int j = 0; j < 16; j++) {
            codes[j] = in[at + j] & 15;
            codes[16 + j] = in[at + j] >> 4 & 15;
        }
    }

    private static void fifthBits(byte[] in, int at, int[] codes) {
        for (int j = 0; j < 32; j++) {
            codes[j] |= (in[at + j / 8] >> j % 8 & 1) << 4;
        }
    }

    /** Value i of 256: 32 bytes hold four times 32 values of two bits. */
    private static int twoBits(byte[] in, int at, int i) {
        return in[at + i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
    }

    /**
     * One of the eight 6-bit scales, or minima, that twelve bytes from 4 on hold: the first four have six bits of their own, of the others the
     * high two bits are on top of those.
     *
     * @param of 0 for the scale, 4 for the minimum
     */
    private static int sixBits(byte[] in, int sub, int of) {
        int at = 4;
        if (sub < 4) {
            return in[at + sub + of] & 63;
        }
        return in[at + sub + 4] >> of & 15 | (in[at + sub - 4 + of] >> 6 & 3) << 4;
    }

    private static void copy(byte[] in, int from, MemorySegment to, long at, int count) {
        MemorySegment.copy(in, from, to, ValueLayout.JAVA_BYTE, at, count);
    }
}
