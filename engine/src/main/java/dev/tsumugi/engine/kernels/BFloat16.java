package dev.tsumugi.engine.kernels;

/** The upper half of an fp32. */
public final class BFloat16 {
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

    /** Rounds fp32 [count] to the nearest, by addresses that are not checked. */
    public static void round(long from, long to, int count) {
        int i = 0;
        for (; i + Lanes.L <= count; i += Lanes.L) {
            Lanes.storeBFloat16(Lanes.load(from + i * Lanes.FLOAT_BYTES), to + (long) i * Short.BYTES);
        }
        for (; i < count; i++) {
            Lanes.setShort(to + (long) i * Short.BYTES, bits(Lanes.getFloat(from + i * Lanes.FLOAT_BYTES)));
        }
    }
}
