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
}
