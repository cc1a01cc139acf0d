package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.quant.Dequantization;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Every operation as its formula says, in scalar Java with sums in double: slow, and the oracle that the other implementations are held to.
 */
final class ReferenceKernels implements Kernels {

    /** A matrix widened to fp32. */
    record FloatWeight(int outputs, int inputs, float[] values) implements Weight {
        @Override
        public long byteSize() {
            return 4L * values.length;
        }

        @Override
        public void close() {}
    }

    /** Keys and values as [layers, blocks, blockTokens, G, D]. */
    record PlainCache(
            int layers,
            int blocks,
            int blockTokens,
            int keyValueHeads,
            int headSize,
            DType storage,
            float[] keys,
            float[] values)
            implements PagedCache {

        int index(int layer, int block, int slot, int head) {
            return (((layer * blocks + block) * blockTokens + slot) * keyValueHeads + head) * headSize;
        }

        float stored(float value) {
            return storage == DType.BF16 ? BFloat16.round(value) : value;
        }

        @Override
        public void close() {}
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
        return new HostBatchPlan(tokens, positions, sequences, blockTables, outputs, blockTokens, inverseFrequencies);
    }

    @Override
    public void embed(Tensor out, BatchPlan plan, EmbeddingTable table) {
        int width = table.width();
        int[] tokens = HostBatchPlan.of(plan).tokens;
        Sizes.require("out", out, (long) tokens.length * width);
        FloatView o = FloatView.of(out);
        float[] row = new float[width];
        for (int t = 0; t < tokens.length; t++) {
            Sizes.requireToken(tokens[t], table);
            Dequantization.row(HostTable.of(table), tokens[t], row, 0);
            for (int c = 0; c < width; c++) {
                o.set((long) t * width + c, row[c]);
            }
        }
    }

    @Override
    public void rmsNorm(Tensor out, Tensor x, int rows, int width, Tensor weight, float epsilon) {
        Sizes.requireNorm(out, x, rows, width, weight);
        FloatView o = FloatView.of(out);
        FloatView in = FloatView.of(x);
        FloatView w = FloatView.of(weight);
        for (int r = 0; r < rows; r++) {
            long row = (long) r * width;
            double squares = 0;
            for (int c = 0; c < width; c++) {
                squares += (double) in.get(row + c) * in.get(row + c);
            }
            double scale = 1 / Math.sqrt(squares / width + epsilon);
            for (int c = 0; c < width; c++) {
                o.set(row + c, (float) (in.get(row + c) * scale) * w.get(c));
            }
        }
    }

    @Override
    public void layerNorm(Tensor out, Tensor x, int rows, int width, Tensor weight, Tensor bias, float epsilon) {
        Sizes.requireNorm(out, x, rows, width, weight);
        Sizes.require("bias", bias, width);
        FloatView o = FloatView.of(out);
        FloatView in = FloatView.of(x);
        FloatView w = FloatView.of(weight);
        FloatView b = FloatView.of(bias);
        for (int r = 0; r < rows; r++) {
            long row = (long) r * width;
            double mean = 0;
            for (int c = 0; c < width; c++) {
                mean += in.get(row + c);
            }
            mean /= width;
            double variance = 0;
            for (int c = 0; c < width; c++) {
                double difference = in.get(row + c) - mean;
                variance += difference * difference;
            }
            double scale = 1 / Math.sqrt(variance / width + epsilon);
            for (int c = 0; c < width; c++) {
                o.set(row + c, (float) ((in.get(row + c) - mean) * scale * w.get(c) + b.get(c)));
            }
        }
    }

    @Override
    public void linear(Tensor out, Tensor x, int rows, Weight weight, @Nullable Tensor bias) {
        if (!(weight instanceof FloatWeight w)) {
            throw new IllegalArgumentException("the weight is of another backend");
        }
        int outputs = w.outputs();
        int inputs = w.inputs();
        Sizes.requireLinear(out, x, rows, weight, bias);
        FloatView o = FloatView.of(out);
        FloatView in = FloatView.of(x);
        FloatView b = bias == null ? null : FloatView.of(bias);
        for (int t = 0; t < rows; t++) {
            for (int n = 0; n < outputs; n++) {
                double sum = b == null ? 0 : b.get(n);
                for (int k = 0; k < inputs; k++) {
                    sum += (double) in.get((long) t * inputs + k) * w.values()[n * inputs + k];
                }
                o.set((long) t * outputs + n, (float) sum);
            }
        }
    }

    @Override
    public void addLowRank(Tensor[] outs, Tensor x, LowRankRuns runs, int number) {
        Sizes.requireRuns(runs, number);
        for (int i = 0; i < runs.count(); i++) {
            LowRankUpdates updates = runs.updates()[i];
            if (updates != null) {
                ReferenceLowRank.of(updates).add(number, outs, x, runs.starts()[i], runs.starts()[i + 1]);
            }
        }
    }

    @Override
    public void rope(Tensor x, BatchPlan plan, int heads, int headSize, RopeLayout layout) {
        HostBatchPlan p = HostBatchPlan.of(plan);
        int pairs = p.rotaryPairs;
        Sizes.requireRope(x, p, heads, headSize);
        FloatView v = FloatView.of(x);
        for (int t = 0; t < p.tokens(); t++) {
            for (int h = 0; h < heads; h++) {
                long head = ((long) t * heads + h) * headSize;
                for (int i = 0; i < pairs; i++) {
                    long first = head + (layout == RopeLayout.HALVES ? i : 2 * i);
                    long second = head + (layout == RopeLayout.HALVES ? i + pairs : 2 * i + 1);
                    float cos = p.cosines[t * pairs + i];
                    float sin = p.sines[t * pairs + i];
                    float a = v.get(first);
                    float b = v.get(second);
                    v.set(first, a * cos - b * sin);
                    v.set(second, b * cos + a * sin);
                }
            }
        }
    }

    @Override
    public void storeKeysValues(PagedCache cache, int layer, BatchPlan plan, Tensor keys, Tensor values) {
        PlainCache c = plain(cache);
        HostBatchPlan p = HostBatchPlan.of(plan);
        Sizes.requireStore(cache, layer, p, keys, values);
        FloatView k = FloatView.of(keys);
        FloatView v = FloatView.of(values);
        int headSize = c.headSize();
        for (int t = 0; t < p.tokens(); t++) {
            int position = p.positions[t];
            for (int g = 0; g < c.keyValueHeads(); g++) {
                int slot = c.index(layer, p.block(p.sequences[t], position), p.slot(position), g);
                long head = ((long) t * c.keyValueHeads() + g) * headSize;
                for (int d = 0; d < headSize; d++) {
                    c.keys()[slot + d] = c.stored(k.get(head + d));
                    c.values()[slot + d] = c.stored(v.get(head + d));
                }
            }
        }
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
        PlainCache c = plain(cache);
        HostBatchPlan p = HostBatchPlan.of(plan);
        Sizes.requireAttention(out, queries, cache, layer, p, heads, window);
        FloatView o = FloatView.of(out);
        FloatView q = FloatView.of(queries);
        int headSize = c.headSize();
        for (int t = 0; t < p.tokens(); t++) {
            int position = p.positions[t];
            int first = window == 0 ? 0 : Math.max(0, position - window + 1);
            double[] weights = new double[position + 1];
            for (int h = 0; h < heads; h++) {
                int g = h / (heads / c.keyValueHeads());
                long query = ((long) t * heads + h) * headSize;
                double highest = Double.NEGATIVE_INFINITY;
                for (int s = first; s <= position; s++) {
                    int slot = c.index(layer, p.block(p.sequences[t], s), p.slot(s), g);
                    double dot = 0;
                    for (int d = 0; d < headSize; d++) {
                        dot += (double) q.get(query + d) * c.keys()[slot + d];
                    }
                    weights[s] = dot * scale;
                    highest = Math.max(highest, weights[s]);
                }
                double total = 0;
                for (int s = first; s <= position; s++) {
                    weights[s] = Math.exp(weights[s] - highest);
                    total += weights[s];
                }
                for (int d = 0; d < headSize; d++) {
                    double sum = 0;
                    for (int s = first; s <= position; s++) {
                        int slot = c.index(layer, p.block(p.sequences[t], s), p.slot(s), g);
                        sum += weights[s] * c.values()[slot + d];
                    }
                    o.set(query + d, (float) (sum / total));
                }
            }
        }
    }

    @Override
    public void swiGlu(Tensor out, Tensor gate, Tensor up, int count) {
        Sizes.require("out", out, count);
        Sizes.require("gate", gate, count);
        Sizes.require("up", up, count);
        FloatView o = FloatView.of(out);
        FloatView g = FloatView.of(gate);
        FloatView u = FloatView.of(up);
        for (int i = 0; i < count; i++) {
            double x = g.get(i);
            o.set(i, (float) (x / (1 + Math.exp(-x)) * u.get(i)));
        }
    }

    @Override
    public void geluErf(Tensor x, int count) {
        Sizes.require("x", x, count);
        FloatView v = FloatView.of(x);
        for (int i = 0; i < count; i++) {
            double value = v.get(i);
            v.set(i, (float) (value / 2 * (1 + ErrorFunction.erf(value / Math.sqrt(2)))));
        }
    }

    @Override
    public void geluTanh(Tensor x, int count) {
        Sizes.require("x", x, count);
        FloatView v = FloatView.of(x);
        for (int i = 0; i < count; i++) {
            double value = v.get(i);
            double inner = Math.sqrt(2 / Math.PI) * (value + 0.044715 * value * value * value);
            v.set(i, (float) (value / 2 * (1 + Math.tanh(inner))));
        }
    }

    @Override
    public void add(Tensor x, Tensor y, int count) {
        Sizes.require("x", x, count);
        Sizes.require("y", y, count);
        FloatView v = FloatView.of(x);
        FloatView w = FloatView.of(y);
        for (int i = 0; i < count; i++) {
            v.set(i, v.get(i) + w.get(i));
        }
    }

    @Override
    public void gatherOutputs(Tensor out, Tensor x, BatchPlan plan, int width) {
        HostBatchPlan p = HostBatchPlan.of(plan);
        Sizes.requireGather(out, x, p, width);
        FloatView o = FloatView.of(out);
        FloatView v = FloatView.of(x);
        for (int r = 0; r < p.outputs(); r++) {
            for (int c = 0; c < width; c++) {
                o.set((long) r * width + c, v.get((long) p.outputs[r] * width + c));
            }
        }
    }

    @Override
    public void largest(int[] places, float[] leads, Tensor x, int rows, int width) {
        Sizes.requireLargest(places, leads, x, rows, width);
        FloatView v = FloatView.of(x);
        for (int r = 0; r < rows; r++) {
            int place = -1;
            float first = Float.NEGATIVE_INFINITY;
            float second = Float.NEGATIVE_INFINITY;
            boolean numbers = true;
            for (int c = 0; c < width; c++) {
                float value = v.get((long) r * width + c);
                numbers &= !Float.isNaN(value);
                if (value > first) {
                    second = first;
                    first = value;
                    place = c;
                } else if (value > second) {
                    second = value;
                }
            }
            boolean finite = numbers && Float.isFinite(first);
            places[r] = finite ? place : -1;
            leads[r] = finite ? first - second : 0;
        }
    }

    private static PlainCache plain(PagedCache cache) {
        if (cache instanceof PlainCache c) {
            return c;
        }
        throw new IllegalArgumentException("the cache is of another backend");
    }
}
