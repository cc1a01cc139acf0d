package dev.tsumugi.trainer.sets;

/**
 * What became of the examples.
 *
 * @param generated of the members, those that were made here and cannot be answered
 * @param duplicates left out: same question and contexts as another
 * @param betweenSplits left out: their documents belong to several splits
 * @param feedbackKeptOut left out: feedback on held-out documents, which nobody may tune the yardstick with
 * @param surplusUnanswerable left out of training, so that it stays in balance
 */
public record SetCounts(
        int train,
        int validation,
        int heldOut,
        int generated,
        int duplicates,
        int betweenSplits,
        int feedbackKeptOut,
        int surplusUnanswerable) {}
