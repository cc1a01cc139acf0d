package dev.tsumugi.engine.train;

import java.io.IOException;
import java.nio.file.Path;
import java.util.function.IntUnaryOperator;

/** What a run minimizes, over which examples, in which order. */
interface Objective {

    /** Thrown through work that is to be forgotten because training shall stop. */
    final class Stop extends Exception {
        private static final long serialVersionUID = 1;

        Stop() {
            super(null, null, false, false);
        }
    }

    /** Called between micro-batches. */
    interface Pause {
        void between() throws Stop;
    }

    /**
     * @param loss summed over the targets
     * @param tokens that were computed
     */
    record Sum(double loss, int tokens, int targets) {}

    StepPlan plan();

    /**
     * Adds to the gradients those of the mean loss of a step.
     *
     * @param step from 1
     * @param seed of the dropout of a micro-batch of the step
     */
    Sum gradients(int step, IntUnaryOperator seed, Pause pause) throws Stop;

    /** Tokens of the steps behind {@code step}. */
    long tokensBehind(int step);

    boolean hasValidation();

    /** Mean loss over all targets of the validation set. */
    double validate(Pause pause) throws Stop;

    int tooLong();

    int withoutTargets();

    /** Writes what is trained beside the adapter into the adapter's folder. */
    default void write(Path folder) throws IOException {}
}
