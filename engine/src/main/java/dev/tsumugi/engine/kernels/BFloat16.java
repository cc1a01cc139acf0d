package dev.tsumugi.engine.kernels;

/** The upper half of an fp32. */
final class BFloat16 {
    private BFloat16() {}

    /** Nearest bfloat16, ties to even; NaN stays NaN. */
    static short bits(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (short) (bits >>> 16 | 0x40);
        }
        return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
    }

    static float value(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }

    static float round(float value) {
        return value(bits(value));
    }
}
