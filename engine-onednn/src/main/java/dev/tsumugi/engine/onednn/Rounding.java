package dev.tsumugi.engine.onednn;

/**
 * fp32 to bfloat16, to the nearest, ties to even; NaN stays NaN. A plain loop over arrays, which the compiler turns into vectors by itself:
 * written in the Vector API or over memory segments it would be slow until compiled, and packing weights is among the first things that a
 * process does.
 */
final class Rounding {
    private static final short NAN = 0x7fc0;

    private Rounding() {}

    /** Rounds the first {@code count} values. */
    static void toBfloat16(float[] source, short[] target, int count) {
        for (int i = 0; i < count; i++) {
            int bits = Float.floatToRawIntBits(source[i]);
            int rounded = bits + 0x7fff + (bits >>> 16 & 1) >>> 16;
            // Beyond infinity is NaN, whose mantissa must not be rounded away.
            target[i] = (bits & 0x7fffffff) > 0x7f800000 ? NAN : (short) rounded;
        }
    }
}
