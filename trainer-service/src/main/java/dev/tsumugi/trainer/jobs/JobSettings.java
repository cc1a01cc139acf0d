package dev.tsumugi.trainer.jobs;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.tsumugi.engine.train.TrainingRefusedException;
import dev.tsumugi.engine.train.TrainingSettings;
import dev.tsumugi.trainer.sets.SetSettings;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * What a job is asked to do; what is absent has the default of {@link TrainingSettings}.
 *
 * @param objective {@code sft}, cross-entropy with all passages in one prompt, or {@code rag-sequence}, the marginal likelihood over passages
 *     with one prompt each, and a query adapter
 * @param base {@code served} or {@code nf4}
 * @param optimizer {@code adamw} or {@code paged_adamw_8bit}
 * @param learningRateSchedule {@code linear}, {@code cosine} or {@code polynomial}
 * @param unanswerableShare see {@link SetSettings}
 * @param passages retrieved for an example without contexts
 * @param sweep settings that are tried first; the best of them take the place of those here
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
record JobSettings(
        @Nullable String objective,
        @Nullable Integer rank,
        @Nullable Double alpha,
        @Nullable Boolean rankStabilized,
        @Nullable Double dropout,
        @Nullable List<String> targets,
        @Nullable String base,
        @Nullable String optimizer,
        @Nullable Double learningRate,
        @Nullable String learningRateSchedule,
        @Nullable Integer warmUpSteps,
        @Nullable Double weightDecay,
        @Nullable Double labelSmoothing,
        @Nullable Integer microBatchTokens,
        @Nullable Integer gradientAccumulation,
        @Nullable Integer epochs,
        @Nullable Integer maxSteps,
        @Nullable Integer evaluateEverySteps,
        @Nullable Integer patience,
        @Nullable Long seed,
        @Nullable Double unanswerableShare,
        @Nullable Integer passages,
        @Nullable Sweep sweep) {
    static final JobSettings DEFAULTS = new JobSettings(
            null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
            null, null, null, null, null);

    private static final int USUAL_PASSAGES = 5;
    private static final int MAX_PASSAGES = 50;

    /** @throws IllegalArgumentException naming what is out of its range */
    void check() {
        try {
            training();
        } catch (TrainingRefusedException e) {
            throw new IllegalArgumentException(e.getMessage(), e);
        }
        SetSettings unused = set();
        if (sweep != null) {
            try {
                sweep.check(this);
            } catch (TrainingRefusedException e) {
                throw new IllegalArgumentException(e.getMessage(), e);
            }
        }
        if (isRagSequence() && sweep != null) {
            throw new IllegalArgumentException(
                    "a sweep compares settings of sft; leave sweep out, or train with the objective sft");
        }
        if (isRagSequence() && labelSmoothing != null && labelSmoothing > 0) {
            throw new IllegalArgumentException("labelSmoothing must be 0 with the objective rag-sequence");
        }
        if (passages() < 1 || passages() > MAX_PASSAGES) {
            throw new IllegalArgumentException("passages must be 1 to " + MAX_PASSAGES + ", but is " + passages());
        }
    }

    /** @throws IllegalArgumentException when the objective is neither of both */
    boolean isRagSequence() {
        if (objective == null || objective.equals("sft")) {
            return false;
        }
        if (objective.equals("rag-sequence")) {
            return true;
        }
        throw new IllegalArgumentException("objective must be sft or rag-sequence, but is " + objective);
    }

    /** With one combination of a sweep in place of it. Alpha follows the rank unless it was given. */
    JobSettings withTried(
            @Nullable Integer triedRank,
            @Nullable List<String> triedTargets,
            @Nullable String triedBase,
            @Nullable Double triedRate) {
        return new JobSettings(
                objective,
                triedRank,
                alpha != null || triedRank == null ? alpha : Double.valueOf(2.0 * triedRank),
                rankStabilized,
                dropout,
                triedTargets,
                triedBase,
                optimizer,
                triedRate,
                learningRateSchedule,
                warmUpSteps,
                weightDecay,
                labelSmoothing,
                microBatchTokens,
                gradientAccumulation,
                epochs,
                maxSteps,
                evaluateEverySteps,
                patience,
                seed,
                unanswerableShare,
                passages,
                null);
    }

    SetSettings set() {
        return new SetSettings(unanswerableShare == null ? SetSettings.USUAL_SHARE : unanswerableShare);
    }

    @Override
    public Integer passages() {
        return passages == null ? USUAL_PASSAGES : passages;
    }

    TrainingSettings training() {
        TrainingSettings.Builder settings = TrainingSettings.defaults().toBuilder();
        ifGiven(rank, settings::rank);
        ifGiven(alpha, settings::alpha);
        ifGiven(rankStabilized, settings::rankStabilized);
        ifGiven(dropout, settings::dropout);
        ifGiven(targets, settings::targets);
        ifGiven(base, text -> settings.base(of(TrainingSettings.BaseWeights.class, "base", text)));
        ifGiven(optimizer, text -> settings.optimizer(of(TrainingSettings.OptimizerKind.class, "optimizer", text)));
        ifGiven(learningRate, settings::learningRate);
        ifGiven(
                learningRateSchedule,
                text -> settings.schedule(of(TrainingSettings.Schedule.class, "learningRateSchedule", text)));
        ifGiven(warmUpSteps, settings::warmUpSteps);
        ifGiven(weightDecay, settings::weightDecay);
        ifGiven(labelSmoothing, settings::labelSmoothing);
        ifGiven(microBatchTokens, settings::microBatchTokens);
        ifGiven(gradientAccumulation, settings::gradientAccumulation);
        ifGiven(epochs, settings::epochs);
        ifGiven(maxSteps, settings::maxSteps);
        ifGiven(evaluateEverySteps, settings::evaluateEverySteps);
        ifGiven(patience, settings::patience);
        ifGiven(seed, settings::seed);
        return settings.build();
    }

    private static <T> void ifGiven(@Nullable T value, java.util.function.Consumer<T> setter) {
        if (value != null) {
            setter.accept(value);
        }
    }

    private static <E extends Enum<E>> E of(Class<E> type, String field, String text) {
        for (E value : type.getEnumConstants()) {
            if (value.name().equalsIgnoreCase(text)) {
                return value;
            }
        }
        StringBuilder names = new StringBuilder();
        for (E value : type.getEnumConstants()) {
            names.append(names.isEmpty() ? "" : ", ").append(value.name().toLowerCase(Locale.ROOT));
        }
        throw new IllegalArgumentException(field + " must be one of " + names + ", but is " + text);
    }
}
