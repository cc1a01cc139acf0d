package dev.tsumugi.engine.model;

import dev.tsumugi.engine.tensor.Tensor;

/** Sees intermediate values of a forward pass while they are computed. */
interface Probe {

    /** Sees nothing. */
    Probe NONE = (point, layer, values, rows, width) -> {};

    /** Where in the pass a value stands. */
    enum Point {
        EMBEDDING,
        /** What the attention block adds to the residual stream. */
        ATTENTION_OUT,
        /** What the feed-forward block adds to the residual stream. */
        MLP_OUT,
        /** The residual stream behind a layer. */
        LAYER_OUT,
        /** Normed output rows, as the head reads them. */
        FINAL_NORM
    }

    /**
     * @param layer 0 outside of layers
     * @param values [rows, width], overwritten later
     */
    void see(Point point, int layer, Tensor values, int rows, int width);
}
