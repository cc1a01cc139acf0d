package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Panels of 4-bit weights (Q4_0, Q4_1, Q4_K). Per block of 32 columns: 8 vectors of shorts, each short four consecutive columns of one row
 * as two's-complement nibbles, lowest bits first; then scales [PANEL] and, where the type has them, minimums [PANEL]: the weight is {@code
 * scale * nibble + minimum}. Short 2i is row i of the panel, short 2i+1 row i + PANEL/2, so that sums of shorts split into two vectors of ints
 * by shifts alone.
 */
final class NibblePanels extends WidenedPanels {
    static final int BLOCK = 32;
    static final int SHORTS = BLOCK / 4;
    /** Where the scales of a block begin. */
    static final long SCALES = SHORTS * Lanes.VECTOR_BYTES;

    private final boolean minimums;
    private final long blockBytes;

    NibblePanels(int outputs, int inputs, boolean minimums) {
        super(outputs, inputs, inputs / BLOCK * blockBytes(minimums));
        this.minimums = minimums;
        blockBytes = blockBytes(minimums);
    }

    private static long blockBytes(boolean minimums) {
        return SCALES + (minimums ? 4 : 2) * Lanes.VECTOR_BYTES;
    }

    boolean hasMinimums() {
        return minimums;
    }

    long blockBytes() {
        return blockBytes;
    }

    @Override
    void packRows(Tensor matrix, int panel, int from, int to) {
        MemorySegment source = matrix.segment();
        QuantizedBlock block = new QuantizedBlock(matrix.dtype());
        int blocks = inputs() / matrix.dtype().blockElements();
        int groups = block.scales.length;
        for (int n = from; n < to; n++) {
            int row = n - from;
            int lane = row < Lanes.L ? 2 * row : 2 * (row - Lanes.L) + 1;
            for (int b = 0; b < blocks; b++) {
                block.read(source, ((long) n * blocks + b) * matrix.dtype().blockBytes());
                for (int g = 0; g < groups; g++) {
                    long to32 = panelAddress(panel) + (b * groups + g) * blockBytes;
                    packBlock(block, g, to32 + lane * (long) Short.BYTES);
                    // Stored nibbles are 8 less than the file's; the minimum takes that back.
                    Lanes.setFloat(to32 + SCALES + row * Lanes.FLOAT_BYTES, block.scales[g]);
                    if (minimums) {
                        Lanes.setFloat(
                                to32 + SCALES + (Lanes.PANEL + row) * Lanes.FLOAT_BYTES,
                                block.minimums[g] + 8 * block.scales[g]);
                    }
                }
            }
        }
    }

    private static void packBlock(QuantizedBlock block, int group, long lane) {
        for (int j = 0; j < SHORTS; j++) {
            int first = group * BLOCK + 4 * j;
            int bits = 0;
            for (int i = 0; i < 4; i++) {
                bits |= (block.values[first + i] ^ 8) << 4 * i;
            }
            Lanes.setShort(lane + j * Lanes.VECTOR_BYTES, (short) bits);
        }
    }

    @Override
    long floats(int panel, int k, int count, long scratch) {
        long block = panelAddress(panel) + k / BLOCK * blockBytes;
        long out = scratch;
        for (int b = 0; b < count / BLOCK; b++) {
            FloatVector scaleLow = Lanes.load(block + SCALES);
            FloatVector scaleHigh = Lanes.load(block + SCALES + Lanes.VECTOR_BYTES);
            FloatVector minimumLow = FloatVector.zero(Lanes.F);
            FloatVector minimumHigh = minimumLow;
            if (minimums) {
                minimumLow = Lanes.load(block + SCALES + 2 * Lanes.VECTOR_BYTES);
                minimumHigh = Lanes.load(block + SCALES + 3 * Lanes.VECTOR_BYTES);
            }
            for (int j = 0; j < SHORTS; j++) {
                IntVector bits = Lanes.loadInts(block + j * Lanes.VECTOR_BYTES);
                for (int i = 0; i < 4; i++) {
                    Lanes.store(nibble(bits, 28 - 4 * i).fma(scaleLow, minimumLow), out);
                    Lanes.store(nibble(bits, 12 - 4 * i).fma(scaleHigh, minimumHigh), out + Lanes.VECTOR_BYTES);
                    out += 2 * Lanes.VECTOR_BYTES;
                }
            }
            block += blockBytes;
        }
        return scratch;
    }

    /** The nibble that {@code left} bits lie above, sign-extended. */
    private static FloatVector nibble(IntVector bits, int left) {
        return (FloatVector) bits.lanewise(VectorOperators.LSHL, left)
                .lanewise(VectorOperators.ASHR, 28)
                .convertShape(VectorOperators.I2F, Lanes.F, 0);
    }
}
