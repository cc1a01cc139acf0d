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
    void multiply(int panel, long x, int tokens, long out, long outStride, int valid, Scratch scratch) {
        long rowBytes = inputs() * Lanes.FLOAT_BYTES;
        int t = 0;
        for (; t + 2 <= tokens; t += 2) {
            two(panelAddress(panel), x + t * rowBytes, rowBytes, out + t * outStride, outStride, valid);
        }
        if (t < tokens) {
            one(panelAddress(panel), x + t * rowBytes, out + t * outStride, valid);
        }
    }

    private void one(long weights, long x, long out, int valid) {
        FloatVector low = FloatVector.zero(Lanes.F);
        FloatVector high = FloatVector.zero(Lanes.F);
        for (int k = 0; k < inputs(); k += group) {
            long from = x + k * Lanes.FLOAT_BYTES;
            FloatVector groupLow = FloatVector.zero(Lanes.F);
            FloatVector groupHigh = FloatVector.zero(Lanes.F);
            for (int i = 0; i < group; i++) {
                FloatVector value = FloatVector.broadcast(Lanes.F, Lanes.getFloat(from + i * Lanes.FLOAT_BYTES));
                groupLow = Lanes.loadBytes(weights + i * Lanes.PANEL).fma(value, groupLow);
                groupHigh = Lanes.loadBytes(weights + i * Lanes.PANEL + Lanes.L).fma(value, groupHigh);
            }
            long scales = weights + group * (long) Lanes.PANEL;
            low = groupLow.fma(Lanes.load(scales), low);
            high = groupHigh.fma(Lanes.load(scales + Lanes.VECTOR_BYTES), high);
            if (minimums) {
                float sum = sum(from);
                low = Lanes.load(scales + 2 * Lanes.VECTOR_BYTES).mul(sum).add(low);
                high = Lanes.load(scales + 3 * Lanes.VECTOR_BYTES).mul(sum).add(high);
            }
            weights += groupBytes;
        }
        PanelProduct.finish(low, high, out, valid, false);
    }

    private void two(long weights, long x, long xStride, long out, long outStride, int valid) {
        FloatVector low0 = FloatVector.zero(Lanes.F);
        FloatVector low1 = low0;
        FloatVector high0 = low0;
        FloatVector high1 = low0;
        for (int k = 0; k < inputs(); k += group) {
            long from = x + k * Lanes.FLOAT_BYTES;
            FloatVector groupLow0 = FloatVector.zero(Lanes.F);
            FloatVector groupLow1 = groupLow0;
            FloatVector groupHigh0 = groupLow0;
            FloatVector groupHigh1 = groupLow0;
            for (int i = 0; i < group; i++) {
                FloatVector weightLow = Lanes.loadBytes(weights + i * Lanes.PANEL);
                FloatVector weightHigh = Lanes.loadBytes(weights + i * Lanes.PANEL + Lanes.L);
                long at = from + i * Lanes.FLOAT_BYTES;
                FloatVector value0 = FloatVector.broadcast(Lanes.F, Lanes.getFloat(at));
                groupLow0 = weightLow.fma(value0, groupLow0);
                groupHigh0 = weightHigh.fma(value0, groupHigh0);
                FloatVector value1 = FloatVector.broadcast(Lanes.F, Lanes.getFloat(at + xStride));
                groupLow1 = weightLow.fma(value1, groupLow1);
                groupHigh1 = weightHigh.fma(value1, groupHigh1);
            }
            long scales = weights + group * (long) Lanes.PANEL;
            FloatVector scaleLow = Lanes.load(scales);
            FloatVector scaleHigh = Lanes.load(scales + Lanes.VECTOR_BYTES);
            low0 = groupLow0.fma(scaleLow, low0);
            high0 = groupHigh0.fma(scaleHigh, high0);
            low1 = groupLow1.fma(scaleLow, low1);
            high1 = groupHigh1.fma(scaleHigh, high1);
            if (minimums) {
                FloatVector minimumLow = Lanes.load(scales + 2 * Lanes.VECTOR_BYTES);
                FloatVector minimumHigh = Lanes.load(scales + 3 * Lanes.VECTOR_BYTES);
                float sum0 = sum(from);
                float sum1 = sum(from + xStride);
                low0 = minimumLow.mul(sum0).add(low0);
                high0 = minimumHigh.mul(sum0).add(high0);
                low1 = minimumLow.mul(sum1).add(low1);
                high1 = minimumHigh.mul(sum1).add(high1);
            }
            weights += groupBytes;
        }
        PanelProduct.finish(low0, high0, out, valid, false);
        PanelProduct.finish(low1, high1, out + outStride, valid, false);
    }

    /** Sum of one group of activations. */
    private float sum(long x) {
        float sum = 0;
        for (int i = 0; i < group; i++) {
            sum += Lanes.getFloat(x + i * Lanes.FLOAT_BYTES);
        }
        return sum;
    }
}
