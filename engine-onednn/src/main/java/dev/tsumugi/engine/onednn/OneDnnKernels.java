package dev.tsumugi.engine.onednn;

import dev.tsumugi.engine.kernels.BatchPlan;
import dev.tsumugi.engine.kernels.EmbeddingTable;
import dev.tsumugi.engine.kernels.Kernels;
import dev.tsumugi.engine.kernels.LinearLayer;
import dev.tsumugi.engine.kernels.LowRankRuns;
import dev.tsumugi.engine.kernels.PagedCache;
import dev.tsumugi.engine.kernels.RopeLayout;
import dev.tsumugi.engine.kernels.TrainingKernels.Addend;
import dev.tsumugi.engine.kernels.Weight;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Tensor;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The Vector API's operations, except for linear layers over many rows. */
final class OneDnnKernels implements Kernels {
    /**
     * From here on the packed product is faster than streaming the quantized weights once for all rows: 8-bit integers, in which most are packed, took a
     * core as long for 2 rows as for 8, and as long as 4 streamed rows of 4 bits.
     */
    static final int MIN_ROWS = 5;

    private final Kernels vector;
    private final LinearByOneDnn linear;

    OneDnnKernels(Kernels vector, LinearByOneDnn linear) {
        this.vector = vector;
        this.linear = linear;
    }

    @Override
    public int alikeRows() {
        return Math.min(MIN_ROWS - 1, vector.alikeRows());
    }

    @Override
    public void linear(Tensor out, Tensor x, int rows, Weight weight, @Nullable Tensor bias) {
        linears(x, rows, new LinearLayer(out, weight, bias));
    }

    @Override
    public void linears(Tensor x, int rows, LinearLayer... layers) {
        if (rows < MIN_ROWS && areStreamed(layers)) {
            LinearLayer[] streamed = new LinearLayer[layers.length];
            for (int i = 0; i < layers.length; i++) {
                streamed[i] = streamed(layers[i]);
            }
            vector.linears(x, rows, streamed);
            return;
        }
        for (int from = 0; from < layers.length; ) {
            PackedMatrix packed = weight(layers[from]).packed();
            int end = from + 1;
            if (packed == null) {
                vector.linears(x, rows, streamed(layers[from]));
            } else {
                while (end < layers.length
                        && sharesInput(packed, weight(layers[end]).packed())) {
                    end++;
                }
                multiply(x, rows, Arrays.copyOfRange(layers, from, end));
            }
            from = end;
        }
    }

    private static boolean areStreamed(LinearLayer[] layers) {
        for (LinearLayer layer : layers) {
            if (weight(layer).vector() == null) {
                return false;
            }
        }
        return true;
    }

    private static LinearLayer streamed(LinearLayer layer) {
        return new LinearLayer(layer.out(), Objects.requireNonNull(weight(layer).vector()), layer.bias());
    }

    private static OneDnnWeight weight(LinearLayer layer) {
        if (layer.weight() instanceof OneDnnWeight both) {
            return both;
        }
        throw new IllegalArgumentException("the weight is of another backend");
    }

    private static boolean sharesInput(PackedMatrix one, @Nullable PackedMatrix other) {
        return other != null && one.element() == other.element() && one.inputs() == other.inputs();
    }

    private void multiply(Tensor x, int rows, LinearLayer... layers) {
        LinearByOneDnn.Part[] parts = new LinearByOneDnn.Part[layers.length];
        for (int i = 0; i < parts.length; i++) {
            parts[i] = part(x, rows, layers[i]);
        }
        linear.multiply(x.segment(), rows, parts);
    }

    /** {@link #linear} with small products added. */
    void linear(Tensor out, Tensor x, int rows, Weight weight, @Nullable Tensor bias, Addend... addends) {
        LinearByOneDnn.Part part = part(x, rows, new LinearLayer(out, weight, bias), addends);
        for (Addend addend : addends) {
            if (addend.left().rows() != rows
                    || addend.firstColumn() + addend.right().columns() > weight.outputs()) {
                throw new IllegalArgumentException(
                        "a product of " + addend.left().rows() + " rows, columns from " + addend.firstColumn()
                                + ", does not fit [" + rows + ", " + weight.outputs() + "]");
            }
        }
        linear.multiply(x.segment(), rows, part);
    }

    private static LinearByOneDnn.Part part(Tensor x, int rows, LinearLayer layer, Addend... addends) {
        PackedMatrix packed = weight(layer).packed();
        if (packed == null) {
            throw new IllegalArgumentException("the weight was not prepared for training");
        }
        Tensor bias = layer.bias();
        require("out", layer.out(), (long) rows * packed.outputs());
        require("x", x, (long) rows * packed.inputs());
        if (bias != null) {
            require("bias", bias, packed.outputs());
        }
        return new LinearByOneDnn.Part(layer.out().segment(), packed, bias == null ? null : bias.segment(), addends);
    }

    private static void require(String what, Tensor tensor, long elements) {
        if (tensor.dtype() != DType.F32 || tensor.shape().elements() < elements) {
            throw new IllegalArgumentException(
                    what + " needs " + elements + " F32 elements and is " + tensor.dtype() + " " + tensor.shape());
        }
    }

    @Override
    public BatchPlan plan(
            int[] tokens,
            int[] positions,
            int[] sequences,
            int[][] blockTables,
            int[] outputs,
            int blockTokens,
            float[] inverseFrequencies) {
        return vector.plan(tokens, positions, sequences, blockTables, outputs, blockTokens, inverseFrequencies);
    }

    @Override
    public void embed(Tensor out, BatchPlan plan, EmbeddingTable table) {
        vector.embed(out, plan, table);
    }

    @Override
    public void rmsNorm(Tensor out, Tensor x, int rows, int width, Tensor weight, float epsilon) {
        vector.rmsNorm(out, x, rows, width, weight, epsilon);
    }

    @Override
    public void layerNorm(Tensor out, Tensor x, int rows, int width, Tensor weight, Tensor bias, float epsilon) {
        vector.layerNorm(out, x, rows, width, weight, bias, epsilon);
    }

    @Override
    public void addLowRank(Tensor[] outs, Tensor x, LowRankRuns runs, int number) {
        vector.addLowRank(outs, x, runs, number);
    }

    @Override
    public void rope(Tensor x, BatchPlan plan, int heads, int headSize, RopeLayout layout) {
        vector.rope(x, plan, heads, headSize, layout);
    }

    @Override
    public void storeKeysValues(PagedCache cache, int layer, BatchPlan plan, Tensor keys, Tensor values) {
        vector.storeKeysValues(cache, layer, plan, keys, values);
    }

    @Override
    public void attention(
            Tensor out,
            Tensor queries,
            PagedCache cache,
            int layer,
            BatchPlan plan,
            int heads,
            int window,
            float scale) {
        vector.attention(out, queries, cache, layer, plan, heads, window, scale);
    }

    @Override
    public void swiGlu(Tensor out, Tensor gate, Tensor up, int count) {
        vector.swiGlu(out, gate, up, count);
    }

    @Override
    public void geluErf(Tensor x, int count) {
        vector.geluErf(x, count);
    }

    @Override
    public void geluTanh(Tensor x, int count) {
        vector.geluTanh(x, count);
    }

    @Override
    public void add(Tensor x, Tensor y, int count) {
        vector.add(x, y, count);
    }

    @Override
    public void largest(int[] places, float[] leads, Tensor x, int rows, int width) {
        vector.largest(places, leads, x, rows, width);
    }

    @Override
    public void gatherOutputs(Tensor out, Tensor x, BatchPlan plan, int width) {
        vector.gatherOutputs(out, x, plan, width);
    }
}
