package dev.tsumugi.engine.quant;

/**
 * Values as 4-bit "NormalFloat" codes in blocks of {@value #BLOCK}, each with its largest magnitude as scale; with double quantization the scales
 * less their mean are 8-bit codes themselves ({@link BlockwiseInt8}). Layout and rounding are those of bitsandbytes; the codes are the quantiles
 * of QLoRA, arXiv 2305.14314, appendix E.
 */
public final class Nf4 {
    /** Values that share a scale. */
    public static final int BLOCK = 64;

    private static final float[] CODES = {
        -1.0f,
        -0.6961928009986877f,
        -0.5250730514526367f,
        -0.39491748809814453f,
        -0.28444138169288635f,
        -0.18477343022823334f,
        -0.09105003625154495f,
        0.0f,
        0.07958029955625534f,
        0.16093020141124725f,
        0.24611230194568634f,
        0.33791524171829224f,
        0.44070982933044434f,
        0.5626170039176941f,
        0.7229568362236023f,
        1.0f
    };
    private static final BlockwiseInt8 SCALES = BlockwiseInt8.signed();

    private final int count;
    private final byte[] packed;
    private final float[] scales;
    private final byte[] scaleCodes;
    private final float[] nestedScales;
    private final float offset;

    private Nf4(int count, byte[] packed, float[] scales, byte[] scaleCodes, float[] nestedScales, float offset) {
        this.count = count;
        this.packed = packed;
        this.scales = scales;
        this.scaleCodes = scaleCodes;
        this.nestedScales = nestedScales;
        this.offset = offset;
    }

    /**
     * @param values of a matrix, row by row
     * @param twice quantizes the scales too
     */
    public static Nf4 quantize(float[] values, boolean twice) {
        byte[] packed = new byte[(values.length + 1) / 2];
        float[] scales = new float[Math.ceilDiv(values.length, BLOCK)];
        for (int b = 0; b < scales.length; b++) {
            int end = Math.min(values.length, (b + 1) * BLOCK);
            float largest = 0;
            for (int i = b * BLOCK; i < end; i++) {
                largest = Math.max(largest, Math.abs(values[i]));
            }
            scales[b] = largest;
            for (int i = b * BLOCK; i < end; i++) {
                int code = largest == 0 ? 7 : nearest(values[i] / largest);
                packed[i / 2] |= (byte) (i % 2 == 0 ? code << 4 : code);
            }
        }
        if (!twice) {
            return new Nf4(values.length, packed, scales, new byte[0], new float[0], 0);
        }
        double sum = 0;
        for (float scale : scales) {
            sum += scale;
        }
        return nested(values.length, packed, scales, (float) (sum / scales.length));
    }

    private static Nf4 nested(int count, byte[] packed, float[] scales, float offset) {
        byte[] codes = new byte[scales.length];
        float[] nestedScales = new float[Math.ceilDiv(scales.length, BlockwiseInt8.BLOCK)];
        for (int b = 0; b < nestedScales.length; b++) {
            int from = b * BlockwiseInt8.BLOCK;
            float[] block = new float[Math.min(BlockwiseInt8.BLOCK, scales.length - from)];
            for (int i = 0; i < block.length; i++) {
                block[i] = scales[from + i] - offset;
            }
            byte[] blockCodes = new byte[block.length];
            nestedScales[b] = SCALES.quantize(block, blockCodes);
            System.arraycopy(blockCodes, 0, codes, from, block.length);
        }
        return of(count, packed, codes, nestedScales, offset);
    }

    /**
     * What a bitsandbytes checkpoint holds of a matrix with double quantization.
     *
     * @param packed two codes a byte, the first in the high half
     * @param scaleCodes of each block
     * @param nestedScales of each {@value BlockwiseInt8#BLOCK} blocks
     */
    public static Nf4 of(int count, byte[] packed, byte[] scaleCodes, float[] nestedScales, float offset) {
        float[] scales = new float[scaleCodes.length];
        for (int b = 0; b < scales.length; b++) {
            scales[b] = SCALES.value(scaleCodes[b]) * nestedScales[b / BlockwiseInt8.BLOCK] + offset;
        }
        return new Nf4(count, packed, scales, scaleCodes, nestedScales, offset);
    }

    private static int nearest(float value) {
        int code = 0;
        while (code < CODES.length - 1 && value > (CODES[code] + CODES[code + 1]) / 2) {
            code++;
        }
        return code;
    }

    /** [16] what the codes mean, for a scale of 1. */
    public static float[] codes() {
        return CODES.clone();
    }

    public float[] dequantize() {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            int code = i % 2 == 0 ? packed[i / 2] >> 4 & 0xF : packed[i / 2] & 0xF;
            values[i] = CODES[code] * scales[i / BLOCK];
        }
        return values;
    }

    /** Two codes a byte, the first in the high half. */
    public byte[] packed() {
        return packed.clone();
    }

    /** Of each block, as {@link #dequantize} uses them. */
    public float[] scales() {
        return scales.clone();
    }

    /** Of each block; empty without double quantization. */
    public byte[] scaleCodes() {
        return scaleCodes.clone();
    }

    /** Of each {@value BlockwiseInt8#BLOCK} blocks; empty without double quantization. */
    public float[] nestedScales() {
        return nestedScales.clone();
    }

    /** The mean of the scales before they were quantized. */
    public float offset() {
        return offset;
    }
}
