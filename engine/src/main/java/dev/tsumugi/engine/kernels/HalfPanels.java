package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Panels of 16-bit floats, half precision or bfloat16, as they are in the file. */
final class HalfPanels extends WidenedPanels {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final long ROW_BYTES = Lanes.PANEL * (long) Short.BYTES;

    private final boolean bfloat16;

    HalfPanels(int outputs, int inputs, boolean bfloat16, Slabs slabs) {
        super(outputs, inputs, inputs * ROW_BYTES, slabs);
        this.bfloat16 = bfloat16;
    }

    @Override
    void packRows(Tensor matrix, int panel, int from, int to) {
        MemorySegment source = matrix.segment();
        for (int n = from; n < to; n++) {
            long lane = panelAddress(panel) + (n - from) * (long) Short.BYTES;
            for (int k = 0; k < inputs(); k++) {
                Lanes.setShort(lane + k * ROW_BYTES, source.getAtIndex(SHORT, (long) n * inputs() + k));
            }
        }
    }

    @Override
    long floats(int panel, int k, int count, long scratch) {
        long from = panelAddress(panel) + k * ROW_BYTES;
        int vectors = 2 * count;
        if (bfloat16) {
            for (int i = 0; i < vectors; i++) {
                Lanes.store(Lanes.loadBFloat16(from + i * Lanes.VECTOR_BYTES / 2), scratch + i * Lanes.VECTOR_BYTES);
            }
        } else {
            for (int i = 0; i < vectors; i++) {
                Lanes.store(Lanes.loadFloat16(from + i * Lanes.VECTOR_BYTES / 2), scratch + i * Lanes.VECTOR_BYTES);
            }
        }
        return scratch;
    }
}
