package dev.tsumugi.trainer.jobs;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.tsumugi.engine.train.TrainingSettings;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Settings that are tried before a job trains with the best of them: every combination of what is given, by successive halving (Jamieson and
 * Talwalkar, arXiv 1502.07943). All are trained for a few steps, the better half by validation loss for twice as many, and so on.
 *
 * @param ranks of the adapter; with each, alpha is twice the rank, unless the job says otherwise
 * @param targets lists of linear layers
 * @param bases {@code served} or {@code nf4}
 * @param firstSteps of the first round
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
record Sweep(
        @Nullable List<Integer> ranks,
        @Nullable List<List<String>> targets,
        @Nullable List<String> bases,
        @Nullable List<Double> learningRates,
        @Nullable Integer firstSteps) {
    private static final int USUAL_STEPS = 16;
    private static final int MAX_STEPS = 10_000;
    private static final int MOST_COMBINATIONS = 64;

    @Override
    public Integer firstSteps() {
        return firstSteps == null ? USUAL_STEPS : firstSteps;
    }

    /** @throws IllegalArgumentException when a combination cannot be, or there are too many */
    void check(JobSettings job) {
        if (firstSteps() < 1 || firstSteps() > MAX_STEPS) {
            throw new IllegalArgumentException(
                    "sweep.firstSteps must be 1 to " + MAX_STEPS + ", but is " + firstSteps());
        }
        long count = (long) size(ranks) * size(targets) * size(bases) * size(learningRates);
        if (count < 2 || count > MOST_COMBINATIONS) {
            throw new IllegalArgumentException(
                    "a sweep must have 2 to " + MOST_COMBINATIONS + " combinations, but has " + count);
        }
        combinations(job).forEach(JobSettings::training);
    }

    private static int size(@Nullable List<?> values) {
        return values == null ? 1 : values.size();
    }

    /** The job's settings, each time with another combination. */
    List<JobSettings> combinations(JobSettings job) {
        List<JobSettings> all = new ArrayList<>();
        for (Integer rank : or(ranks, job.rank())) {
            for (List<String> layers : or(targets, job.targets())) {
                for (String base : or(bases, job.base())) {
                    for (Double rate : or(learningRates, job.learningRate())) {
                        all.add(job.withTried(rank, layers, base, rate));
                    }
                }
            }
        }
        return all;
    }

    private static <T> List<@Nullable T> or(@Nullable List<T> tried, @Nullable T usual) {
        List<@Nullable T> values = new ArrayList<>();
        if (tried == null) {
            values.add(usual);
        } else {
            values.addAll(tried);
        }
        return values;
    }

    /** Settings of one trial of a round. */
    static TrainingSettings forTrial(JobSettings combination, int steps) {
        return combination.training().toBuilder()
                .maxSteps(steps)
                .evaluateEverySteps(steps)
                .epochs(10_000)
                .patience(0)
                .build();
    }
}
