package dev.tsumugi.engine.quant;

import dev.tsumugi.engine.tensor.DType;

/** fp32 values as blocks of 32, with the same bytes as ggml's reference code gives. */
public final class Quantization {
    private Quantization() {}

    /**
     * @param dtype Q4_0, Q4_1 or Q8_0
     * @param values finite, whole blocks
     * @throws IllegalArgumentException for another type, or a length that cuts a block
     */
    public static byte[] toBlocks(DType dtype, float[] values) {
        byte[] out = new byte[Math.toIntExact(dtype.bytes(values.length))];
        int size = dtype.blockBytes();
        for (int b = 0; b < values.length / dtype.blockElements(); b++) {
            switch (dtype) {
                case Q4_0 -> q4With0(values, b * 32, out, b * size);
                case Q4_1 -> q4With1(values, b * 32, out, b * size);
                case Q8_0 -> q8(values, b * 32, out, b * size);
                default -> throw new IllegalArgumentException("quantization to " + dtype + " is not supported");
            }
        }
        return out;
    }

    /** The value of largest magnitude becomes -8 exactly. */
    private static void q4With0(float[] x, int from, byte[] out, int at) {
        float extreme = 0;
        for (int j = 0; j < 32; j++) {
            if (Math.abs(x[from + j]) > Math.abs(extreme)) {
                extreme = x[from + j];
            }
        }
        float d = extreme / -8;
        float inverse = d == 0 ? 0 : 1 / d;
        LittleEndian.putF16(out, at, d);
        for (int j = 0; j < 16; j++) {
            int low = fourBits((double) x[from + j] * inverse + 8.5);
            int high = fourBits((double) x[from + 16 + j] * inverse + 8.5);
            out[at + 2 + j] = (byte) (low | high << 4);
        }
    }

    private static void q4With1(float[] x, int from, byte[] out, int at) {
        float minimum = Float.POSITIVE_INFINITY;
        float maximum = Float.NEGATIVE_INFINITY;
        for (int j = 0; j < 32; j++) {
            minimum = Math.min(minimum, x[from + j]);
            maximum = Math.max(maximum, x[from + j]);
        }
        float d = (maximum - minimum) / 15;
        float inverse = d == 0 ? 0 : 1 / d;
        LittleEndian.putF16(out, at, d);
        LittleEndian.putF16(out, at + 2, minimum);
        for (int j = 0; j < 16; j++) {
            int low = fourBits((x[from + j] - minimum) * (double) inverse + 0.5);
            int high = fourBits((x[from + 16 + j] - minimum) * (double) inverse + 0.5);
            out[at + 4 + j] = (byte) (low | high << 4);
        }
    }

    private static int fourBits(double value) {
        return Math.clamp((int) value, 0, 15);
    }

    private static void q8(float[] x, int from, byte[] out, int at) {
        float largest = 0;
        for (int j = 0; j < 32; j++) {
            largest = Math.max(largest, Math.abs(x[from + j]));
        }
        float d = largest / 127;
        float inverse = d == 0 ? 0 : 1 / d;
        LittleEndian.putF16(out, at, d);
        for (int j = 0; j < 32; j++) {
            float scaled = x[from + j] * inverse;
            // Halves away from zero, which Math.round does not do below zero.
            out[at + 2 + j] = (byte) (Math.signum(scaled) * Math.floor(Math.abs(scaled) + 0.5f));
        }
    }
}
