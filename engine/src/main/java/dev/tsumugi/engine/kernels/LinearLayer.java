package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * One of several linear layers over the same input.
 *
 * @param out [rows, N]
 * @param bias [N], or null
 */
public record LinearLayer(
        Tensor out, Weight weight, @Nullable Tensor bias) {}
