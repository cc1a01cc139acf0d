package dev.tsumugi.generator.model;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * How a canary does. It has failed when three answers broke off in the model, and these are more than one in twenty: what breaks now and then
 * breaks without the canary too.
 */
public final class CanaryHealth {
    private static final int TOO_MANY = 3;
    private static final int ANSWERS_FOR_ONE_FAILURE = 20;

    private final AtomicInteger answers = new AtomicInteger();
    private final AtomicInteger failures = new AtomicInteger();

    void began() {
        answers.incrementAndGet();
    }

    void failed() {
        failures.incrementAndGet();
    }

    public boolean hasFailed() {
        int broken = failures.get();
        return broken >= TOO_MANY && broken * ANSWERS_FOR_ONE_FAILURE > answers.get();
    }

    /** For people. */
    @Override
    public String toString() {
        return failures + " of " + answers + " answers broke off in the model";
    }
}
