package dev.tsumugi.engine.model;

import dev.tsumugi.engine.tensor.Tensor;

/**
 * What an adapter adds to one linear layer: {@code scale * B A x}.
 *
 * @param a [rank, K], F32, F16 or BF16, in host memory
 * @param b [N, rank], with its rows in the order of Hugging Face checkpoints
 */
public record LowRankPair(Tensor a, Tensor b, float scale) {}
