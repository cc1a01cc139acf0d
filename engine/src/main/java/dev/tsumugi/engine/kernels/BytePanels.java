package dev.tsumugi.engine.kernels;

import static java.lang.invoke.MethodHandles.lookup;

import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import jdk.incubator.vector.FloatVector;

/**
 * Panels of signed bytes (Q8_0, Q5_0, Q5_1, Q5_K, Q6_K): per group of columns the bytes [group][PANEL], then scales [PANEL], then, where the
 * type has them, minimums [PANEL].
 */
final class BytePanels extends PanelMatrix {
    private static final Products PRODUCTS = new Products();

    private final int group;
    private final boolean minimums;
    private final long groupBytes;

    BytePanels(int outputs, int inputs, int group, boolean minimums, Slabs slabs) {
        super(outputs, inputs, inputs / group * groupBytes(group, minimums), slabs);
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
    void prepare(Activations x) {
        x.copy();
    }

    @Override
    void multiply(int panel, Activations x, long out, long outStride, int valid, Scratch scratch) {
        int tokens = x.rows();
        long room = scratch.address(6 * Lanes.VECTOR_BYTES);
        boolean part = valid < Lanes.PANEL;
        long stride = part ? 2 * Lanes.VECTOR_BYTES : outStride;
        try {
            for (int t = 0, count; t < tokens; t += count) {
                count = together(tokens - t);
                int from = t * inputs();
                long to = part ? room : out + t * outStride;
                if (count == 3) {
                    PRODUCTS.three.invokeExact(
                            panelAddress(panel), inputs(), group, minimums, x.floats(), from, to, stride);
                } else if (count == 2) {
                    PRODUCTS.two.invokeExact(
                            panelAddress(panel), inputs(), group, minimums, x.floats(), from, to, stride);
                } else {
                    PRODUCTS.one.invokeExact(panelAddress(panel), inputs(), group, minimums, x.floats(), from, to);
                }
                for (int i = 0; part && i < count; i++) {
                    Lanes.copy(room + i * stride, out + (t + i) * outStride, valid * Lanes.FLOAT_BYTES);
                }
            }
        } catch (Throwable e) {
            throw Separate.rethrown(e);
        }
    }

    /** How many of so many tokens share the widening of the weights next: three at most, and none alone that need not be. */
    private static int together(int tokens) {
        return tokens == 4 ? 2 : Math.min(3, tokens);
    }

    /** The products of one panel, in methods of their own. */
    private static final class Products {
        final MethodHandle one = Separate.method(
                lookup(), "one", long.class, int.class, int.class, boolean.class, float[].class, int.class, long.class);
        final MethodHandle two = several("two");
        final MethodHandle three = several("three");

        private static MethodHandle several(String name) {
            return Separate.method(
                    lookup(),
                    name,
                    long.class,
                    int.class,
                    int.class,
                    boolean.class,
                    float[].class,
                    int.class,
                    long.class,
                    long.class);
        }

        private static void one(long weights, int inputs, int group, boolean minimums, float[] x, int first, long out) {
            FloatVector low = FloatVector.zero(Lanes.F);
            FloatVector high = FloatVector.zero(Lanes.F);
            for (int k = 0; k < inputs; k += group) {
                int from = first + k;
                FloatVector groupLow = FloatVector.zero(Lanes.F);
                FloatVector groupHigh = FloatVector.zero(Lanes.F);
                for (int i = 0; i < group; i++) {
                    FloatVector value = FloatVector.broadcast(Lanes.F, x[from + i]);
                    groupLow = Lanes.loadBytes(weights).fma(value, groupLow);
                    groupHigh = Lanes.loadBytes(weights + Lanes.L).fma(value, groupHigh);
                    weights += Lanes.PANEL;
                }
                low = groupLow.fma(Lanes.load(weights), low);
                high = groupHigh.fma(Lanes.load(weights + Lanes.VECTOR_BYTES), high);
                weights += 2 * Lanes.VECTOR_BYTES;
                if (minimums) {
                    float sum = sum(x, from, group);
                    low = Lanes.load(weights).mul(sum).add(low);
                    high = Lanes.load(weights + Lanes.VECTOR_BYTES).mul(sum).add(high);
                    weights += 2 * Lanes.VECTOR_BYTES;
                }
            }
            Lanes.store(low, out);
            Lanes.store(high, out + Lanes.VECTOR_BYTES);
        }

        private static void two(
                long weights, int inputs, int group, boolean minimums, float[] x, int first, long out, long outStride) {
            FloatVector low0 = FloatVector.zero(Lanes.F);
            FloatVector low1 = low0;
            FloatVector high0 = low0;
            FloatVector high1 = low0;
            for (int k = 0; k < inputs; k += group) {
                int from = first + k;
                FloatVector groupLow0 = FloatVector.zero(Lanes.F);
                FloatVector groupLow1 = groupLow0;
                FloatVector groupHigh0 = groupLow0;
                FloatVector groupHigh1 = groupLow0;
                for (int i = 0; i < group; i++) {
                    FloatVector weightLow = Lanes.loadBytes(weights);
                    FloatVector weightHigh = Lanes.loadBytes(weights + Lanes.L);
                    weights += Lanes.PANEL;
                    FloatVector value0 = FloatVector.broadcast(Lanes.F, x[from + i]);
                    groupLow0 = weightLow.fma(value0, groupLow0);
                    groupHigh0 = weightHigh.fma(value0, groupHigh0);
                    FloatVector value1 = FloatVector.broadcast(Lanes.F, x[from + inputs + i]);
                    groupLow1 = weightLow.fma(value1, groupLow1);
                    groupHigh1 = weightHigh.fma(value1, groupHigh1);
                }
                FloatVector scaleLow = Lanes.load(weights);
                FloatVector scaleHigh = Lanes.load(weights + Lanes.VECTOR_BYTES);
                weights += 2 * Lanes.VECTOR_BYTES;
                low0 = groupLow0.fma(scaleLow, low0);
                high0 = groupHigh0.fma(scaleHigh, high0);
                low1 = groupLow1.fma(scaleLow, low1);
                high1 = groupHigh1.fma(scaleHigh, high1);
                if (minimums) {
                    FloatVector minimumLow = Lanes.load(weights);
                    FloatVector minimumHigh = Lanes.load(weights + Lanes.VECTOR_BYTES);
                    weights += 2 * Lanes.VECTOR_BYTES;
                    float sum0 = sum(x, from, group);
                    float sum1 = sum(x, from + inputs, group);
                    low0 = minimumLow.mul(sum0).add(low0);
                    high0 = minimumHigh.mul(sum0).add(high0);
                    low1 = minimumLow.mul(sum1).add(low1);
                    high1 = minimumHigh.mul(sum1).add(high1);
                }
            }
            Lanes.store(low0, out);
            Lanes.store(high0, out + Lanes.VECTOR_BYTES);
            Lanes.store(low1, out + outStride);
            Lanes.store(high1, out + outStride + Lanes.VECTOR_BYTES);
        }

        private static void three(
                long weights, int inputs, int group, boolean minimums, float[] x, int first, long out, long outStride) {
            FloatVector low0 = FloatVector.zero(Lanes.F);
            FloatVector low1 = low0;
            FloatVector low2 = low0;
            FloatVector high0 = low0;
            FloatVector high1 = low0;
            FloatVector high2 = low0;
            for (int k = 0; k < inputs; k += group) {
                int from = first + k;
                FloatVector groupLow0 = FloatVector.zero(Lanes.F);
                FloatVector groupLow1 = groupLow0;
                FloatVector groupLow2 = groupLow0;
                FloatVector groupHigh0 = groupLow0;
                FloatVector groupHigh1 = groupLow0;
                FloatVector groupHigh2 = groupLow0;
                for (int i = 0; i < group; i++) {
                    FloatVector weightLow = Lanes.loadBytes(weights);
                    FloatVector weightHigh = Lanes.loadBytes(weights + Lanes.L);
                    weights += Lanes.PANEL;
                    FloatVector value0 = FloatVector.broadcast(Lanes.F, x[from + i]);
                    groupLow0 = weightLow.fma(value0, groupLow0);
                    groupHigh0 = weightHigh.fma(value0, groupHigh0);
                    FloatVector value1 = FloatVector.broadcast(Lanes.F, x[from + inputs + i]);
                    groupLow1 = weightLow.fma(value1, groupLow1);
                    groupHigh1 = weightHigh.fma(value1, groupHigh1);
                    FloatVector value2 = FloatVector.broadcast(Lanes.F, x[from + 2 * inputs + i]);
                    groupLow2 = weightLow.fma(value2, groupLow2);
                    groupHigh2 = weightHigh.fma(value2, groupHigh2);
                }
                FloatVector scaleLow = Lanes.load(weights);
                FloatVector scaleHigh = Lanes.load(weights + Lanes.VECTOR_BYTES);
                weights += 2 * Lanes.VECTOR_BYTES;
                low0 = groupLow0.fma(scaleLow, low0);
                high0 = groupHigh0.fma(scaleHigh, high0);
                low1 = groupLow1.fma(scaleLow, low1);
                high1 = groupHigh1.fma(scaleHigh, high1);
                low2 = groupLow2.fma(scaleLow, low2);
                high2 = groupHigh2.fma(scaleHigh, high2);
                if (minimums) {
                    FloatVector minimumLow = Lanes.load(weights);
                    FloatVector minimumHigh = Lanes.load(weights + Lanes.VECTOR_BYTES);
                    weights += 2 * Lanes.VECTOR_BYTES;
                    float sum0 = sum(x, from, group);
                    float sum1 = sum(x, from + inputs, group);
                    float sum2 = sum(x, from + 2 * inputs, group);
                    low0 = minimumLow.mul(sum0).add(low0);
                    high0 = minimumHigh.mul(sum0).add(high0);
                    low1 = minimumLow.mul(sum1).add(low1);
                    high1 = minimumHigh.mul(sum1).add(high1);
                    low2 = minimumLow.mul(sum2).add(low2);
                    high2 = minimumHigh.mul(sum2).add(high2);
                }
            }
            Lanes.store(low0, out);
            Lanes.store(high0, out + Lanes.VECTOR_BYTES);
            Lanes.store(low1, out + outStride);
            Lanes.store(high1, out + outStride + Lanes.VECTOR_BYTES);
            Lanes.store(low2, out + 2 * outStride);
            Lanes.store(high2, out + 2 * outStride + Lanes.VECTOR_BYTES);
        }

        /** Sum of one group of activations. */
        private static float sum(float[] x, int from, int group) {
            float sum = 0;
            for (int i = 0; i < group; i++) {
                sum += x[from + i];
            }
            return sum;
        }
    }
}
