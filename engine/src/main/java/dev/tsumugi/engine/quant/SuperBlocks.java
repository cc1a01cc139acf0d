package dev.tsumugi.engine.quant;

/**
 * Blocks of 256 values ("K-quants"): 8 or 16 sub-blocks with small integer scales (and minima), which themselves share a scale d and a
 * scale of minima dmin, both fp16: {@code value = d * scale * q - dmin * minimum}.
 */
final class SuperBlocks {
    private SuperBlocks() {}

    /** 16 bytes (scale in the low, minimum in the high four bits of each), 64 bytes of 2-bit values, d, dmin. Sub-blocks of 16. */
    static void q2(byte[] in, int at, float[] out, int to) {
        float d = LittleEndian.f16(in, at + 80);
        float dmin = LittleEndian.f16(in, at + 82);
        for (int sub = 0; sub < 16; sub++) {
            float scale = d * (in[at + sub] & 0xF);
            float minimum = dmin * (in[at + sub] >> 4 & 0xF);
            int bytes = at + 16 + sub / 8 * 32 + sub % 2 * 16;
            int shift = sub % 8 / 2 * 2;
            for (int j = 0; j < 16; j++) {
                out[to + sub * 16 + j] = scale * (in[bytes + j] >> shift & 3) - minimum;
            }
        }
    }

    /** 32 bytes of third bits, 64 bytes of 2-bit values, 12 bytes of 6-bit scales, d. Sub-blocks of 16, no minima. */
    static void q3(byte[] in, int at, float[] out, int to) {
        float d = LittleEndian.f16(in, at + 108);
        for (int sub = 0; sub < 16; sub++) {
            // Low four bits of scale s: byte s % 8, lower half for s < 8; its high two bits: byte 8 + s % 4, at 2 * (s
            // / 4).
            int low = in[at + 96 + sub % 8] >> sub / 8 * 4 & 0xF;
            int high = in[at + 104 + sub % 4] >> sub / 4 * 2 & 3;
            float scale = d * ((low | high << 4) - 32);
            int bytes = at + 32 + sub / 8 * 32 + sub % 2 * 16;
            int shift = sub % 8 / 2 * 2;
            int mask = 1 << sub / 2;
            for (int j = 0; j < 16; j++) {
                int third = (in[at + sub % 2 * 16 + j] & mask) != 0 ? 0 : 4;
                out[to + sub * 16 + j] = scale * ((in[bytes + j] >> shift & 3) - third);
            }
        }
    }

    /** d, dmin, 12 bytes of 6-bit scales and minima, 128 bytes of 4-bit values. Sub-blocks of 32. */
    static void q4(byte[] in, int at, float[] out, int to) {
        float d = LittleEndian.f16(in, at);
        float dmin = LittleEndian.f16(in, at + 2);
        for (int sub = 0; sub < 8; sub++) {
            float scale = d * scale6(in, at + 4, sub);
            float minimum = dmin * minimum6(in, at + 4, sub);
            int bytes = at + 16 + sub / 2 * 32;
            int shift = sub % 2 * 4;
            for (int j = 0; j < 32; j++) {
                out[to + sub * 32 + j] = scale * (in[bytes + j] >> shift & 0xF) - minimum;
            }
        }
    }

    /** As q4, with 32 bytes of fifth bits before the 4-bit values: bit s of byte j belongs to value j of sub-block s. */
    static void q5(byte[] in, int at, float[] out, int to) {
        float d = LittleEndian.f16(in, at);
        float dmin = LittleEndian.f16(in, at + 2);
        for (int sub = 0; sub < 8; sub++) {
            float scale = d * scale6(in, at + 4, sub);
            float minimum = dmin * minimum6(in, at + 4, sub);
            int bytes = at + 48 + sub / 2 * 32;
            int shift = sub % 2 * 4;
            for (int j = 0; j < 32; j++) {
                int fifth = (in[at + 16 + j] >> sub & 1) << 4;
                out[to + sub * 32 + j] = scale * (in[bytes + j] >> shift & 0xF | fifth) - minimum;
            }
        }
    }

    /** 128 bytes of low four bits, 64 bytes of high two bits, 16 signed scales, d. Sub-blocks of 16, values around 32. */
    static void q6(byte[] in, int at, float[] out, int to) {
        float d = LittleEndian.f16(in, at + 208);
        for (int sub = 0; sub < 16; sub++) {
            float scale = d * in[at + 192 + sub];
            int half = sub / 8;
            int row = sub % 8 / 2; // four rows of 32 values in each half share the bytes
            int lowBytes = at + half * 64 + row % 2 * 32 + sub % 2 * 16;
            int lowShift = row / 2 * 4;
            int highBytes = at + 128 + half * 32 + sub % 2 * 16;
            int highShift = row * 2;
            for (int j = 0; j < 16; j++) {
                int low = in[lowBytes + j] >> lowShift & 0xF;
                int high = in[highBytes + j] >> highShift & 3;
                out[to + sub * 16 + j] = scale * ((low | high << 4) - 32);
            }
        }
    }

    /** The first four scales have six bits of their own; of the others the high two bits are on top of those. */
    private static int scale6(byte[] in, int at, int sub) {
        return sub < 4 ? in[at + sub] & 63 : in[at + sub + 4] & 0xF | (in[at + sub - 4] >> 6 & 3) << 4;
    }

    private static int minimum6(byte[] in, int at, int sub) {
        return sub < 4 ? in[at + sub + 4] & 63 : in[at + sub + 4] >> 4 & 0xF | (in[at + sub] >> 6 & 3) << 4;
    }
}
