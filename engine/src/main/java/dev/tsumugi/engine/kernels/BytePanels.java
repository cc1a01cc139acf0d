package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/**
 * Panels of signed bytes (Q8_0, Q5_0, Q5_1, Q5_K, Q6_K): per group of columns the bytes [group][PANEL], then scales [PANEL], then, where the
 * type has them, minimums [PANEL].
 */
final class BytePanels extends PanelMatrix {
    private final int group;
    private final boolean minimums;
    private final long groupBytes;

    BytePanels(int outputs, int inputs, int group, boolean minimums) {
        super(outputs, inputs, inputs / group * groupBytes(group, minimums));
        this.group = group;
        this.minimums = minimums;
        groupBytes = groupBytes(group, minimums);
    }

    private static long groupBytes(int group, boolean minimums) {
        return Lanes.PANEL * (group + (minimums ? 2 : 1) * Lanes.FLOAT_BYTES);
    }

    @Override
    void packRows(Tensor matrix, int panel, int from, int to) {
        MemorySegment source = matrix.segment();
        QuantizedBlock block = new QuantizedBlock(matrix.dtype());
        int blocks = inputs() / matrix.dtype().blockElements();
        int groups = block.scales.length;
        for (int n = from; n < to; n++) {
            int row = n - from;
            for (int b = 0; b < blocks; b++) {
                block.read(source, ((long) n * blocks + b) * matrix.dtype().blockBytes());
                for (int g = 0; g < groups; g++) {
                    long bytes = panelAddress(panel) + (b * groups + g) * groupBytes;
                    for (int i = 0; i < group; i++) {
                        Lanes.setByte(bytes + i * Lanes.PANEL + row, block.values[g * group + i]);
                    }
                    long scales = bytes + group * (long) Lanes.PANEL;
                    Lanes.setFloat(scales + row * Lanes.FLOAT_BYTES, block.scales[g]);
                    if (minimums) {
                        Lanes.setFloat(scales + (Lanes.PANEL + row) * Lanes.FLOAT_BYTES, block.minimums[g]);
                    }
                }
            }
        }
    }

    @Override
    long floats(int panel, int k, int count, long scratch) {
        long bytes = panelAddress(panel) + k / group * groupBytes;
        long out = scratch;
        for (int g = 0; g < count / group; g++) {
            long scales = bytes + group * (long) Lanes.PANEL;
            FloatVector scaleLow = Lanes.load(scales);
            FloatVector scaleHigh = Lanes.load(scales + Lanes.VECTOR_BYTES);
            FloatVector minimumLow = FloatVector.zero(Lanes.F);
            FloatVector minimumHigh = minimumLow;
            if (minimums) {
                minimumLow = Lanes.load(scales + 2 * Lanes.VECTOR_BYTES);
                minimumHigh = Lanes.load(scales + 3 * Lanes.VECTOR_BYTES);
            }
            for (int i = 0; i < group; i++) {
                long from = bytes + i * Lanes.PANEL;
                Lanes.store(Lanes.loadBytes(from).fma(scaleLow, minimumLow), out);
                Lanes.store(Lanes.loadBytes(from + Lanes.L).fma(scaleHigh, minimumHigh), out + Lanes.VECTOR_BYTES);
                out += 2 * Lanes.VECTOR_BYTES;
            }
            bytes += groupBytes;
        }
        return scratch;
    }
}
