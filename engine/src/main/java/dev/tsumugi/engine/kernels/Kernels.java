package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The operations of a forward pass. Activations are F32, row-major, in memory of this backend; a tensor may be larger than an operation
 * needs, which then uses its first elements. Outputs are overwritten; an output may be one of the inputs only where that is said. An
 * operation may return before it is done: later operations and {@link Backend#download} see its results. One thread at a time calls.
 *
 * <p>Every operation throws {@link IllegalArgumentException} when sizes do not fit; no operation reads or writes outside of its tensors.
 */
public interface Kernels {

    /**
     * Lays out a ragged batch.
     *
     * @param tokens [T] ids
     * @param positions [T] position of each token in its sequence
     * @param sequences [T] row of {@code blockTables}; tokens of one sequence stand together in ascending, gapless position
     * @param blockTables [S][...] cache blocks: position p is in block {@code p / blockTokens}, slot {@code p % blockTokens}
     * @param outputs [R] rows that {@link #gatherOutputs} picks
     * @param blockTokens of the cache that the tables speak of
     * @param inverseFrequencies [R/2] of the rotary embedding: pair i turns by {@code position * inverseFrequencies[i]} radians
     */
    BatchPlan plan(
            int[] tokens,
            int[] positions,
            int[] sequences,
            int[][] blockTables,
            int[] outputs,
            int blockTokens,
            float[] inverseFrequencies);

    /**
     * {@code out[t] = table[token t]}.
     *
     * @param out [T, C]
     * @throws IllegalArgumentException for an id outside of the table
     */
    void embed(Tensor out, BatchPlan plan, EmbeddingTable table);

    /**
     * {@code out[r] = x[r] / sqrt(mean(x[r]^2) + epsilon) * weight}. {@code out} may be {@code x}.
     *
     * @param out [rows, width]
     * @param x [rows, width]
     * @param weight [width]
     */
    void rmsNorm(Tensor out, Tensor x, int rows, int width, Tensor weight, float epsilon);

    /**
     * {@code out[r] = (x[r] - mean) / sqrt(variance + epsilon) * weight + bias}, with the biased variance. {@code out} may be {@code x}.
     *
     * @param out [rows, width]
     * @param x [rows, width]
     * @param weight [width]
     * @param bias [width]
     */
    void layerNorm(Tensor out, Tensor x, int rows, int width, Tensor weight, Tensor bias, float epsilon);

    /**
     * {@code out[t, n] = sum over k of x[t, k] * weight[n, k], + bias[n]}.
     *
     * @param out [rows, N]
     * @param x [rows, K]
     * @param bias [N], or null
     */
    void linear(Tensor out, Tensor x, int rows, Weight weight, @Nullable Tensor bias);

    /**
     * Several layers of {@link #linear} over one input, which a backend may then bring into its form once.
     *
     * @param x [rows, K]
     */
    default void linears(Tensor x, int rows, LinearLayer... layers) {
        for (LinearLayer layer : layers) {
            linear(layer.out(), x, rows, layer.weight(), layer.bias());
        }
    }

    /**
     * Adds low-rank updates to what linear layers gave: for each row t of a run with updates, {@code out[t, n] += scale * sum over r of B[n, r] *
     * (sum over k of A[r, k] * x[t, k])} for each output that update {@code number} has a B for. Rows of runs without updates, and outputs
     * without a B, stay as they are.
     *
     * @param outs [rows, N] each, in the order of {@link LowRankSource.Up#output}
     * @param x [rows, K]
     * @param number of the update in each run's {@link LowRankUpdates}; those that lack it are passed over
     */
    void addLowRank(Tensor[] outs, Tensor x, LowRankRuns runs, int number);

    /**
     * Rotary position embedding in place: in each head, each pair (a, b) of the first R elements becomes {@code (a cos - b sin, b cos + a
     * sin)}, where R is twice the number of the plan's inverse frequencies; elements behind R stay. Source: RoFormer, arXiv 2104.09864.
     *
     * @param x [T, heads, D]
     */
    void rope(Tensor x, BatchPlan plan, int heads, int headSize, RopeLayout layout);

    /**
     * Writes keys and values of the batch's tokens into their cache slots.
     *
     * @param keys [T, G, D]
     * @param values [T, G, D]
     * @throws IllegalArgumentException when a block is outside of the cache, or a block table too short
     */
    void storeKeysValues(PagedCache cache, int layer, BatchPlan plan, Tensor keys, Tensor values);

    /**
     * Causal attention of every token over what the cache holds of its sequence, itself included: {@code out[t, h] = sum over positions p of
     * softmax(scale * q[t, h] . key[p, g]) * value[p, g]} with {@code g = h / (H / G)} and {@code position(t) - window < p <= position(t)}.
     *
     * @param out [T, H, D]
     * @param queries [T, H, D]
     * @param window tokens a query sees, itself included; 0: all
     */
    void attention(
            Tensor out,
            Tensor queries,
            PagedCache cache,
            int layer,
            BatchPlan plan,
            int heads,
            int window,
            float scale);

    /**
     * {@code out[i] = gate[i] * sigmoid(gate[i]) * up[i]}. {@code out} may be either input.
     *
     * @param count elements
     */
    void swiGlu(Tensor out, Tensor gate, Tensor up, int count);

    /**
     * In place: {@code x/2 * (1 + erf(x / sqrt 2))}.
     *
     * @param count elements
     */
    void geluErf(Tensor x, int count);

    /**
     * In place: {@code x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))}.
     *
     * @param count elements
     */
    void geluTanh(Tensor x, int count);

    /** {@code x[i] += y[i]} for the first {@code count} elements. */
    void add(Tensor x, Tensor y, int count);

    /**
     * {@code out[r] = x[row of output r]}.
     *
     * @param out [R, width]
     * @param x [T, width]
     */
    void gatherOutputs(Tensor out, Tensor x, BatchPlan plan, int width);

    /**
     * Finds the largest element of each row, the first of equals.
     *
     * @param places [rows] takes its index; -1 where a row has an element that is no number, or no finite largest one
     * @param leads [rows] takes how far the next largest element is below it; 0 where that is as large
     * @param x [rows, width]
     */
    void largest(int[] places, float[] leads, Tensor x, int rows, int width);

    /** Whether {@link #draw} is worth asking for: not where logits lie in memory of this process anyway. */
    default boolean draws() {
        return false;
    }

    /**
     * Draws one element of some rows.
     *
     * @param places [rows] takes its index where there is a draw; -1 where a row has an element that is no number, or no finite largest one
     * @param draws [rows], null where nothing is drawn
     * @param x [rows, width]
     * @throws UnsupportedOperationException unless {@link #draws}
     */
    default void draw(int[] places, @Nullable Draw[] draws, Tensor x, int rows, int width) {
        throw new UnsupportedOperationException("this backend does not draw");
    }

    /** Batches of up to so many tokens give each of them the bits that it gets alone. */
    default int alikeRows() {
        return Integer.MAX_VALUE;
    }
}
