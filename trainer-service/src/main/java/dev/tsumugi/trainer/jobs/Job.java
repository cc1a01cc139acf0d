package dev.tsumugi.trainer.jobs;

import dev.tsumugi.engine.train.MemoryForecast;
import java.time.Instant;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * A training job as callers see it.
 *
 * @param adapter name that a better candidate is published under
 * @param priority higher ones go first
 * @param schedule that made it
 * @param set what it trains on, once that is made
 * @param forecast of its memory, in bytes
 * @param trials of a sweep, in their order
 * @param notes what was left out, and why
 * @param message why it ended as it did, in words
 * @param report of the gate
 * @param candidate digest of the adapter that it made, once it is published
 * @param champion what the candidate was held against
 * @param losses only where one job is asked for
 */
record Job(
        UUID id,
        String adapter,
        JobState state,
        int priority,
        JobSettings settings,
        @Nullable String schedule,
        @Nullable UUID set,
        int attempts,
        @Nullable JobProgress progress,
        @Nullable MemoryForecast forecast,
        List<String> notes,
        List<Trial> trials,
        @Nullable String message,
        @Nullable JsonNode report,
        @Nullable String candidate,
        @Nullable String champion,
        Instant createdAt,
        @Nullable Instant startedAt,
        @Nullable Instant finishedAt,
        @Nullable Losses losses) {

    /** In the order of their steps. */
    record Losses(List<Loss> train, List<Loss> validation) {}

    /** @param learningRate of the step; absent for a validation */
    record Loss(int step, double loss, @Nullable Double learningRate) {}

    Job with(Losses all) {
        return new Job(
                id,
                adapter,
                state,
                priority,
                settings,
                schedule,
                set,
                attempts,
                progress,
                forecast,
                notes,
                trials,
                message,
                report,
                candidate,
                champion,
                createdAt,
                startedAt,
                finishedAt,
                all);
    }
}
