package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Panels of 4-bit weights (Q4_0, Q4_1, Q4_K): first the bits of all columns, then the scales. Per block of 32 columns there are 8 vectors of
 * shorts, each short four consecutive columns of one row, lowest bits first. Short 2i is row i of the panel, short 2i+1 row i + PANEL/2, so that sums of shorts split into two vectors of ints by shifts alone.
 */
final class NibblePanels extends WidenedPanels {
    /** How a block's scales lie in memory; a weight is {@code scale * nibble + minimum}. */
    enum Scales {
        /** Of each row an int: the scale above, the minimum below, both in half precision as in the file. */
        HALVES(2),
        /** Scales [PANEL]; the minimum is -8 scales. */
        FLOATS(2),
        /** Scales [PANEL], minimums [PANEL]. */
        FLOATS_AND_MINIMUMS(4);

        final long blockBytes;

        Scales(int vectors) {
            blockBytes = vectors * Lanes.VECTOR_BYTES;
        }

        static Scales of(DType dtype) {
            return switch (dtype) {
                case Q4_1 -> HALVES;
                case Q4_0 -> FLOATS;
                // Products of two scales, which half precision would round.
                default -> FLOATS_AND_MINIMUMS;
            };
        }
    }

    static final int BLOCK = 32;
    static final int SHORTS = BLOCK / 4;
    /** Bytes of one block without its scales. */
    static final long BLOCK_BYTES = SHORTS * Lanes.VECTOR_BYTES;

    private static final NibbleProduct PRODUCT = new NibbleProduct();
    private final Scales kind;

    NibblePanels(int outputs, int inputs, DType dtype, Slabs slabs) {
        super(outputs, inputs, inputs / BLOCK * (BLOCK_BYTES + Scales.of(dtype).blockBytes), slabs);
        kind = Scales.of(dtype);
    }

    Scales kind() {
        return kind;
    }

    int blocks() {
        return inputs() / BLOCK;
    }

    /** Address of a panel's scales. */
    long scales(int panel) {
        return panelAddress(panel) + blocks() * BLOCK_BYTES;
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
                    int index = b * groups + g;
                    packBlock(block, g, panelAddress(panel) + index * BLOCK_BYTES + lane * (long) Short.BYTES);
                    packScales(block, g, scales(panel) + index * kind.blockBytes + row * Lanes.FLOAT_BYTES);
                }
            }
        }
    }

    private static void packBlock(QuantizedBlock block, int group, long lane) {
        for (int j = 0; j < SHORTS; j++) {
            int first = group * BLOCK + 4 * j;
            int bits = 0;
            for (int i = 0; i < 4; i++) {
                bits |= block.values[first + i] << 4 * i;
            }
            Lanes.setShort(lane + j * Lanes.VECTOR_BYTES, (short) bits);
        }
    }

    private void packScales(QuantizedBlock block, int group, long to) {
        float scale = block.scales[group];
        float minimum = block.minimums[group];
        if (kind == Scales.HALVES) {
            int halves = Float.floatToFloat16(scale) << 16 | Float.floatToFloat16(minimum) & 0xffff;
            Lanes.setInt(to, halves);
            return;
        }
        Lanes.setFloat(to, scale);
        if (kind == Scales.FLOATS_AND_MINIMUMS) {
            Lanes.setFloat(to + 2 * Lanes.VECTOR_BYTES, minimum);
        }
    }

    @Override
    void prepare(Activations x) {
        if (x.areRounded()) {
            x.round();
        }
    }

    @Override
    void multiply(int panel, Activations x, long out, long outStride, int valid, Scratch scratch) {
        if (x.areRounded()) {
            PRODUCT.multiply(this, panel, x.quantized(), x.rows(), out, outStride, valid, scratch);
        } else {
            super.multiply(panel, x, out, outStride, valid, scratch);
        }
    }

    @Override
    long floats(int panel, int k, int count, long scratch) {
        long out = scratch;
        for (int b = k / BLOCK; b < (k + count) / BLOCK; b++) {
            long bits = panelAddress(panel) + b * BLOCK_BYTES;
            long scales = scales(panel) + b * kind.blockBytes;
            for (int half = 0; half < 2; half++) {
                long halfScales = scales + half * Lanes.VECTOR_BYTES;
                FloatVector scale;
                FloatVector minimum;
                if (kind == Scales.HALVES) {
                    IntVector halves = Lanes.loadInts(halfScales);
                    scale = Lanes.upperHalf(halves).mul(Lanes.HALF_UNIT);
                    minimum = Lanes.lowerHalf(halves).mul(Lanes.HALF_UNIT);
                } else {
                    scale = Lanes.load(halfScales);
                    minimum = kind == Scales.FLOATS ? scale.mul(-8) : Lanes.load(halfScales + 2 * Lanes.VECTOR_BYTES);
                }
                widen(bits, 16 * half, scale, minimum, out + half * Lanes.VECTOR_BYTES);
            }
            out += BLOCK * 2 * Lanes.VECTOR_BYTES;
        }
        return scratch;
    }

    /** One block of the rows whose nibbles begin at bit {@code first} of each int, as floats, two vectors apart. */
    private static void widen(long bits, int first, FloatVector scale, FloatVector minimum, long out) {
        for (int j = 0; j < SHORTS; j++) {
            IntVector ints = Lanes.loadInts(bits + j * Lanes.VECTOR_BYTES);
            for (int i = 0; i < 4; i++) {
                FloatVector nibble = (FloatVector) ints.lanewise(VectorOperators.LSHR, first + 4 * i)
                        .and(15)
                        .convertShape(VectorOperators.I2F, Lanes.F, 0);
                Lanes.store(nibble.fma(scale, minimum), out);
                out += 2 * Lanes.VECTOR_BYTES;
            }
        }
    }
}
