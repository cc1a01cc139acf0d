package dev.tsumugi.engine.train;

import dev.tsumugi.engine.train.TrainingListener.EvaluationReport;
import java.nio.file.Path;
import java.util.List;

/**
 * What training came to.
 *
 * @param end why it returned
 * @param steps done, those of earlier runs from the same checkpoint included
 * @param losses [steps] of each step
 * @param evaluations in order, that of the base model (step 0) first; empty without a validation set
 * @param bestStep whose adapter is in {@code adapter}; the last one without a validation set; 0 before there is one
 * @param adapter folder that PEFT and the engine read
 * @param tooLong training sequences left out because of their length
 * @param withoutTargets training sequences left out because no token of them is a target
 */
public record TrainingOutcome(
        End end,
        int steps,
        List<Double> losses,
        List<EvaluationReport> evaluations,
        int bestStep,
        Path adapter,
        int tooLong,
        int withoutTargets) {

    /** Why training returned. */
    public enum End {
        COMPLETED,
        /** {@link TrainingSettings#patience} ran out. */
        EARLY,
        /** {@link TrainingListener#stopRequested}; the next run goes on. */
        STOPPED
    }
}
