package dev.tsumugi.engine.quant;

/**
 * Blocks of 32 values with one scale d (fp16): {@code value = d * (q - zero)}, or with a minimum m (fp16): {@code value = d * q + m}. Value
 * j of the first half is in the low four bits of byte j, value j + 16 in its high four bits.
 */
final class Blocks32 {
    private Blocks32() {}

    /** d, 16 bytes. */
    static void q4With0(byte[] in, int at, float[] out, int to) {
        float d = LittleEndian.f16(in, at);
        for (int j = 0; j < 16; j++) {
            int pair = in[at + 2 + j];
            out[to + j] = ((pair & 0xF) - 8) * d;
            out[to + 16 + j] = ((pair >> 4 & 0xF) - 8) * d;
        }
    }

    /** d, m, 16 bytes. */
    static void q4With1(byte[] in, int at, float[] out, int to) {
        float d = LittleEndian.f16(in, at);
        float m = LittleEndian.f16(in, at + 2);
        for (int j = 0; j < 16; j++) {
            int pair = in[at + 4 + j];
            out[to + j] = (pair & 0xF) * d + m;
            out[to + 16 + j] = (pair >> 4 & 0xF) * d + m;
        }
    }

    /** d, the fifth bits of all 32 values, 16 bytes. */
    static void q5With0(byte[] in, int at, float[] out, int to) {
        float d = LittleEndian.f16(in, at);
        int high = LittleEndian.i32(in, at + 2);
        for (int j = 0; j < 16; j++) {
            int pair = in[at + 6 + j];
            out[to + j] = ((pair & 0xF | (high >>> j & 1) << 4) - 16) * d;
            out[to + 16 + j] = ((pair >> 4 & 0xF | (high >>> j + 16 & 1) << 4) - 16) * d;
        }
    }

    /** d, m, the fifth bits of all 32 values, 16 bytes. */
    static void q5With1(byte[] in, int at, float[] out, int to) {
        float d = LittleEndian.f16(in, at);
        float m = LittleEndian.f16(in, at + 2);
        int high = LittleEndian.i32(in, at + 4);
        for (int j = 0; j < 16; j++) {
            int pair = in[at + 8 + j];
            out[to + j] = (pair & 0xF | (high >>> j & 1) << 4) * d + m;
            out[to + 16 + j] = (pair >> 4 & 0xF | (high >>> j + 16 & 1) << 4) * d + m;
        }
    }

    /** d, 32 signed bytes. */
    static void q8(byte[] in, int at, float[] out, int to) {
        float d = LittleEndian.f16(in, at);
        for (int j = 0; j < 32; j++) {
            out[to + j] = in[at + 2 + j] * d;
        }
    }
}
