package dev.tsumugi.trainer.jobs;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.tsumugi.engine.train.TrainingSettings;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A row of a sweep's table.
 *
 * @param round from 1
 * @param combination its number among all, from 0
 * @param loss of the validation split after these steps; absent when it could not be trained
 * @param memory of its training, in bytes, as forecast
 * @param error why it could not be trained
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
record Trial(
        int round,
        int combination,
        int rank,
        List<String> targets,
        String base,
        double learningRate,
        int steps,
        @Nullable Double loss,
        long trainableParameters,
        long memory,
        @Nullable String error) {

    static Trial of(
            int round,
            int combination,
            TrainingSettings settings,
            @Nullable Double loss,
            long trainableParameters,
            long memory,
            @Nullable String error) {
        return new Trial(
                round,
                combination,
                settings.rank(),
                settings.targets(),
                settings.base().name().toLowerCase(java.util.Locale.ROOT),
                settings.learningRate(),
                settings.maxSteps(),
                loss,
                trainableParameters,
                memory,
                error);
    }
}
