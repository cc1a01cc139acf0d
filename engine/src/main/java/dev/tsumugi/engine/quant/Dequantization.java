package dev.tsumugi.engine.quant;

import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Values of floating-point and block-quantized data as fp32, rounded as ggml's reference code rounds: products before sums, no fused
 * multiply-add. Source of the layouts: ggml's block structures.
 */
public final class Dequantization {
    private Dequantization() {}

    /** Whether {@link #toFloats} reads that type. */
    public static boolean supports(DType dtype) {
        return switch (dtype) {
            case F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K -> true;
            case U8, I8, I32, I64 -> false;
        };
    }

    /**
     * Row {@code row} of a matrix.
     *
     * @param matrix [N, K] in host memory
     * @param out K values from {@code outOffset}
     */
    public static void row(Tensor matrix, long row, float[] out, int outOffset) {
        int width = Math.toIntExact(matrix.shape().get(matrix.shape().rank() - 1));
        long rowBytes = matrix.dtype().bytes(width);
        toFloats(matrix.dtype(), matrix.memory().segment(), matrix.offset() + row * rowBytes, out, outOffset, width);
    }

    /**
     * @param offset byte of {@code source} where the first block begins
     * @param count values to read: whole blocks
     * @throws IllegalArgumentException for a type that holds no real numbers, or a count that cuts a block
     * @throws IndexOutOfBoundsException when either side is shorter
     */
    public static void toFloats(DType dtype, MemorySegment source, long offset, float[] out, int outOffset, int count) {
        byte[] bytes = new byte[Math.toIntExact(dtype.bytes(count))];
        MemorySegment.copy(source, ValueLayout.JAVA_BYTE, offset, bytes, 0, bytes.length);
        toFloats(dtype, bytes, out, outOffset, count);
    }

    /** The same from an array whose first byte begins the first block. */
    public static void toFloats(DType dtype, byte[] bytes, float[] out, int outOffset, int count) {
        int blocks = count / dtype.blockElements();
        int size = dtype.blockBytes();
        if (count % dtype.blockElements() != 0) {
            throw new IllegalArgumentException(count + " values are no whole number of " + dtype + " blocks");
        }
        switch (dtype) {
            case F32 -> {
                for (int i = 0; i < count; i++) {
                    out[outOffset + i] = LittleEndian.f32(bytes, 4 * i);
                }
            }
            case F16 -> {
                for (int i = 0; i < count; i++) {
                    out[outOffset + i] = LittleEndian.f16(bytes, 2 * i);
                }
            }
            case BF16 -> {
                for (int i = 0; i < count; i++) {
                    out[outOffset + i] = LittleEndian.bf16(bytes, 2 * i);
                }
            }
            case Q4_0 -> {
                for (int b = 0; b < blocks; b++) {
                    Blocks32.q4With0(bytes, b * size, out, outOffset + b * 32);
                }
            }
            case Q4_1 -> {
                for (int b = 0; b < blocks; b++) {
                    Blocks32.q4With1(bytes, b * size, out, outOffset + b * 32);
                }
            }
            case Q5_0 -> {
                for (int b = 0; b < blocks; b++) {
                    Blocks32.q5With0(bytes, b * size, out, outOffset + b * 32);
                }
            }
            case Q5_1 -> {
                for (int b = 0; b < blocks; b++) {
                    Blocks32.q5With1(bytes, b * size, out, outOffset + b * 32);
                }
            }
            case Q8_0 -> {
                for (int b = 0; b < blocks; b++) {
                    Blocks32.q8(bytes, b * size, out, outOffset + b * 32);
                }
            }
            case Q2_K -> {
                for (int b = 0; b < blocks; b++) {
                    SuperBlocks.q2(bytes, b * size, out, outOffset + b * 256);
                }
            }
            case Q3_K -> {
                for (int b = 0; b < blocks; b++) {
                    SuperBlocks.q3(bytes, b * size, out, outOffset + b * 256);
                }
            }
            case Q4_K -> {
                for (int b = 0; b < blocks; b++) {
                    SuperBlocks.q4(bytes, b * size, out, outOffset + b * 256);
                }
            }
            case Q5_K -> {
                for (int b = 0; b < blocks; b++) {
                    SuperBlocks.q5(bytes, b * size, out, outOffset + b * 256);
                }
            }
            case Q6_K -> {
                for (int b = 0; b < blocks; b++) {
                    SuperBlocks.q6(bytes, b * size, out, outOffset + b * 256);
                }
            }
            default -> throw new IllegalArgumentException("values of type " + dtype + " are no real numbers");
        }
    }
}
