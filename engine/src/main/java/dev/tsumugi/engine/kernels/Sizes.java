package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.quant.Dequantization;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/** Checks that operations make before they touch memory, alike in every backend. */
public final class Sizes {
    private Sizes() {}

    /** Fails unless {@code tensor} is F32 and has {@code elements} or more. */
    public static void require(String what, Tensor tensor, long elements) {
        if (tensor.dtype() != DType.F32) {
            throw new IllegalArgumentException(what + " must be F32 and is " + tensor.dtype());
        }
        if (tensor.shape().elements() < elements) {
            throw new IllegalArgumentException(what + " needs " + elements + " elements and has " + tensor.shape());
        }
    }

    public static void requireMatrix(Tensor tensor) {
        if (tensor.shape().rank() != 2
                || tensor.shape().get(0) > Integer.MAX_VALUE
                || tensor.shape().get(1) > Integer.MAX_VALUE
                || tensor.shape().get(0) < 1
                || tensor.shape().get(1) < 1) {
            throw new IllegalArgumentException("expected a matrix, got shape " + tensor.shape());
        }
        if (tensor.shape().get(1) % tensor.dtype().blockElements() != 0) {
            throw new IllegalArgumentException(
                    "rows of " + tensor.shape().get(1) + " are no whole number of " + tensor.dtype() + " blocks");
        }
    }

    public static void requireNumbers(DType dtype) {
        if (!Dequantization.supports(dtype)) {
            throw new IllegalArgumentException("weights of type " + dtype + " are not supported");
        }
    }

    private static void requireCache(PagedCache cache, int layer, BatchLayout plan) {
        if (layer < 0 || layer >= cache.layers()) {
            throw new IllegalArgumentException("layer " + layer + " is outside of a cache of " + cache.layers());
        }
        plan.checkAgainst(cache);
    }

    public static void requireCacheSize(
            int layers, int blocks, int blockTokens, int keyValueHeads, int headSize, DType storage) {
        if (layers < 1 || blocks < 1 || blockTokens < 1 || keyValueHeads < 1 || headSize < 1) {
            throw new IllegalArgumentException("a cache of " + layers + " layers, " + blocks + " blocks of "
                    + blockTokens + " tokens, " + keyValueHeads + " heads of " + headSize + " holds nothing");
        }
        if (storage != DType.F32 && storage != DType.BF16) {
            throw new IllegalArgumentException("a cache stores F32 or BF16, not " + storage);
        }
    }

    public static void requireToken(int token, EmbeddingTable table) {
        if (token < 0 || token >= table.rows()) {
            throw new IllegalArgumentException("token " + token + " is outside of a vocabulary of " + table.rows());
        }
    }

    public static void requireNorm(Tensor out, Tensor x, int rows, int width, Tensor weight) {
        require("out", out, (long) rows * width);
        require("x", x, (long) rows * width);
        require("weight", weight, width);
    }

    public static void requireLinear(Tensor out, Tensor x, int rows, Weight weight, @Nullable Tensor bias) {
        require("out", out, (long) rows * weight.outputs());
        require("x", x, (long) rows * weight.inputs());
        if (bias != null) {
            require("bias", bias, weight.outputs());
        }
    }

    public static void requireRuns(LowRankRuns runs, int number) {
        for (LowRankUpdates updates : runs.updates()) {
            if (updates != null && (number < 0 || number >= updates.count())) {
                throw new IllegalArgumentException(
                        "update " + number + " is outside of an adapter of " + updates.count());
            }
        }
    }

    public static void requireLowRank(Tensor[] outs, int output, int outputs, Tensor x, int inputs, int rows) {
        if (output >= outs.length) {
            throw new IllegalArgumentException("output " + output + " is outside of " + outs.length);
        }
        require("out", outs[output], (long) rows * outputs);
        require("x", x, (long) rows * inputs);
    }

    public static void requireRope(Tensor x, BatchLayout plan, int heads, int headSize) {
        require("x", x, (long) plan.tokens() * heads * headSize);
        if (2 * plan.rotaryPairs > headSize) {
            throw new IllegalArgumentException(
                    2 * plan.rotaryPairs + " rotary dimensions do not fit heads of " + headSize);
        }
    }

    public static void requireStore(PagedCache cache, int layer, BatchLayout plan, Tensor keys, Tensor values) {
        requireCache(cache, layer, plan);
        long elements = (long) plan.tokens() * cache.keyValueHeads() * cache.headSize();
        require("keys", keys, elements);
        require("values", values, elements);
    }

    public static void requireAttention(
            Tensor out, Tensor queries, PagedCache cache, int layer, BatchLayout plan, int heads, int window) {
        requireCache(cache, layer, plan);
        if (heads < 1 || heads % cache.keyValueHeads() != 0 || window < 0) {
            throw new IllegalArgumentException(heads + " query heads over " + cache.keyValueHeads()
                    + " key/value heads with a window of " + window + " is no attention");
        }
        long elements = (long) plan.tokens() * heads * cache.headSize();
        require("out", out, elements);
        require("queries", queries, elements);
    }

    public static void requireLargest(int[] places, float[] leads, Tensor x, int rows, int width) {
        require("x", x, (long) rows * width);
        if (width < 1 || places.length < rows || leads.length < rows) {
            throw new IllegalArgumentException(
                    places.length + " places and " + leads.length + " leads do not fit " + rows + " rows of " + width);
        }
    }

    public static void requireGather(Tensor out, Tensor x, BatchLayout plan, int width) {
        require("x", x, (long) plan.tokens() * width);
        require("out", out, (long) plan.outputs() * width);
    }

    /** @param few [rows.length, width] of {@code all} */
    public static void requireRows(Tensor few, Tensor all, int[] rows, int width) {
        require("rows", few, (long) rows.length * width);
        int last = -1;
        for (int row : rows) {
            if (row < 0) {
                throw new IllegalArgumentException("there is no row " + row);
            }
            last = Math.max(last, row);
        }
        require("x", all, (last + 1L) * width);
    }

    public static void requireAdamW(Tensor values, Tensor gradients, long offset, int count) {
        if (offset < 0 || count < 0) {
            throw new IllegalArgumentException(count + " numbers from " + offset + " on");
        }
        require("values", values, offset + count);
        require("gradients", gradients, offset + count);
    }

    public static void requireTargets(Tensor logits, int[] targets, int rows, int vocabulary) {
        require("logits", logits, (long) rows * vocabulary);
        if (targets.length < rows) {
            throw new IllegalArgumentException(targets.length + " targets for " + rows + " rows");
        }
        for (int r = 0; r < rows; r++) {
            if (targets[r] < 0 || targets[r] >= vocabulary) {
                throw new IllegalArgumentException(
                        "target " + targets[r] + " is outside of a vocabulary of " + vocabulary);
            }
        }
    }

    /** Some heads of each row. */
    public static void requireHeads(
            Tensor out, Tensor x, int rows, int stride, int firstHead, int heads, int headSize) {
        if (firstHead < 0 || heads < 0 || (firstHead + heads) * headSize > stride) {
            throw new IllegalArgumentException("heads " + firstHead + " to " + (firstHead + heads) + " of " + headSize
                    + " do not fit rows of " + stride);
        }
        require("out", out, (long) rows * stride);
        require("x", x, (long) rows * stride);
    }

    /** Products of matrices: {@code out = a b}, as {@link TrainingKernels#product} asks. */
    public static void requireProduct(MatrixView out, MatrixView a, MatrixView b) {
        if (out.rows() != a.rows() || out.columns() != b.columns() || a.columns() != b.rows()) {
            throw new IllegalArgumentException("[" + a.rows() + ", " + a.columns() + "] times [" + b.rows() + ", "
                    + b.columns() + "] is not [" + out.rows() + ", " + out.columns() + "]");
        }
    }
}
