package dev.tsumugi.engine.kernels;

/**
 * How one token is drawn from a row of logits: the cuts of {@code sample.Distribution} in their order, and then the token at {@code uniform} of
 * the cumulated probability.
 *
 * @param temperature above 0
 * @param topK 0: all
 * @param topP 1: all
 * @param minP 0: all
 * @param uniform from [0, 1)
 */
public record Draw(double temperature, int topK, double topP, double minP, double uniform) {}
