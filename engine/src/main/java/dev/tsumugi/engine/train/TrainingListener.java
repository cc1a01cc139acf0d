package dev.tsumugi.engine.train;

import java.time.Duration;

/** Hears how training goes, from the thread that trains. */
public interface TrainingListener {

    /** Hears nothing. */
    TrainingListener NONE = new TrainingListener() {};

    /**
     * One step done.
     *
     * @param step from 1
     * @param steps of the whole run
     * @param epoch from 1
     * @param loss mean over the step's targets, label smoothing included
     * @param gradientNorm before it is clipped
     * @param tokens all that were computed, prompts included
     * @param tokensPerSecond of this step
     * @param remaining estimated, without evaluations
     */
    record StepReport(
            int step,
            int steps,
            int epoch,
            double loss,
            double learningRate,
            double gradientNorm,
            int tokens,
            double tokensPerSecond,
            Duration remaining) {}

    /**
     * The validation set measured.
     *
     * @param step after which; 0: the base model alone
     * @param loss mean over all targets, without label smoothing
     * @param best whether it is the lowest so far of a trained step
     */
    record EvaluationReport(int step, double loss, boolean best) {}

    default void stepped(StepReport report) {}

    default void evaluated(EvaluationReport report) {}

    /** Sequences that are left out because they are longer than a micro-batch or the model's context, or teach nothing. */
    default void leftOut(int tooLong, int withoutTargets) {}

    /** Asked between micro-batches. Training then saves where it stands and returns; running it again goes on from there. */
    default boolean stopRequested() {
        return false;
    }

    /** Called before each micro-batch; as long as it waits, the processor is free for others. */
    default void beforeMicroBatch() {}
}
