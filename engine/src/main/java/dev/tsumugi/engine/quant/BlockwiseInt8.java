package dev.tsumugi.engine.quant;

import java.util.Arrays;

/**
 * Values as 8-bit codes of a map that is finest near zero, each block with its largest magnitude as scale: bitsandbytes' "dynamic" quantization
 * (Dettmers, arXiv 1511.04561). A value gets the nearest code, as bitsandbytes' CUDA kernels choose it.
 */
public final class BlockwiseInt8 {
    /** Values that share a scale. */
    public static final int BLOCK = 256;

    private static final int EXPONENTS = 7;
    private static final int CODES = 256;

    private final float[] codes;
    /** Between neighbouring codes. */
    private final float[] borders = new float[CODES - 1];

    private BlockwiseInt8(boolean signed) {
        codes = map(signed);
        for (int i = 0; i < borders.length; i++) {
            borders[i] = (codes[i] + codes[i + 1]) / 2;
        }
    }

    /** The map of values of either sign. */
    public static BlockwiseInt8 signed() {
        return new BlockwiseInt8(true);
    }

    /** The map of values from 0 up. */
    public static BlockwiseInt8 unsigned() {
        return new BlockwiseInt8(false);
    }

    /** For each power of ten the middles of even steps from 0.1 to 1, twice as many with each power, and 0 and 1. */
    private static float[] map(boolean signed) {
        float[] codes = new float[CODES];
        int at = 0;
        for (int e = 0; e < EXPONENTS; e++) {
            int steps = signed ? 1 << e : 1 << e + 1;
            float power = (float) Math.pow(10, e - (EXPONENTS - 1));
            for (int i = 0; i < steps; i++) {
                float middle = (step(i, steps) + step(i + 1, steps)) / 2;
                codes[at++] = power * middle;
                if (signed) {
                    codes[at++] = -(power * middle);
                }
            }
        }
        codes[at++] = 0;
        codes[at] = 1;
        Arrays.sort(codes);
        return codes;
    }

    /** Border {@code i} of {@code steps} even steps from 0.1 to 1, counted from the nearer end as torch does. */
    private static float step(int i, int steps) {
        float width = (1f - 0.1f) / steps;
        return i < (steps + 1) / 2 ? Math.fma(width, i, 0.1f) : Math.fma(-width, steps - i, 1f);
    }

    /** [256] in ascending order. */
    public float[] codes() {
        return codes.clone();
    }

    public float value(byte code) {
        return codes[code & 0xff];
    }

    /** The code of 0. */
    public byte zero() {
        return (byte) Arrays.binarySearch(codes, 0f);
    }

    /**
     * One block.
     *
     * @param values up to {@value #BLOCK}
     * @param to as many codes
     * @return the scale
     */
    public float quantize(float[] values, byte[] to) {
        float largest = 0;
        for (float value : values) {
            largest = Math.max(largest, Math.abs(value));
        }
        for (int i = 0; i < values.length; i++) {
            to[i] = largest == 0 ? zero() : nearest(values[i] / largest);
        }
        return largest;
    }

    private byte nearest(float value) {
        int found = Arrays.binarySearch(borders, value);
        return (byte) (found >= 0 ? found : -found - 1);
    }

    /** Moves a code whose sign is not its value's to the next one that way. */
    public void keepSigns(float[] values, byte[] of) {
        for (int i = 0; i < values.length; i++) {
            if (negative(value(of[i])) != negative(values[i])) {
                of[i] += (byte) (values[i] > 0 ? 1 : -1);
            }
        }
    }

    private static boolean negative(float value) {
        return Float.floatToRawIntBits(value) < 0;
    }
}
