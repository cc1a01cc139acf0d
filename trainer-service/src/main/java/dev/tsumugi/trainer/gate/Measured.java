package dev.tsumugi.trainer.gate;

import java.util.List;

/**
 * A model, bare or with an adapter, on the held-out questions.
 *
 * @param answers in the same order for every model
 * @param replay mean loss of each replayed conversation
 * @param tooLong questions that leave no room for a passage, which were not asked
 */
public record Measured(List<Judged> answers, List<Double> replay, int tooLong) {}
