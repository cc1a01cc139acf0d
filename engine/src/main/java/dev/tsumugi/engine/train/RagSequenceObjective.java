package dev.tsumugi.engine.train;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.function.IntUnaryOperator;

/**
 * {@link RagSequenceLoss} over examples with retrieved passages; a step has as many examples as {@link TrainingSettings#gradientAccumulation}
 * says. Each passage's sequence is computed twice: once for the likelihoods, which say how much each passage counts, and once for its gradient.
 * The first time is without dropout.
 */
final class RagSequenceObjective implements Objective {
    /** A passage that explains less of an answer than this gets no gradient, which saves most of the second computation. */
    private static final double NEGLIGIBLE = 1e-4;

    private final Decoder decoder;
    private final PassageScorer scorer;
    private final PassageData train;
    private final PassageData validation;
    private final StepPlan plan;

    RagSequenceObjective(
            Decoder decoder,
            TrainingSettings settings,
            PassageScorer scorer,
            PassageData train,
            PassageData validation) {
        this.decoder = decoder;
        this.scorer = scorer;
        this.train = train;
        this.validation = validation;
        plan = StepPlan.of(
                train.examples().stream()
                        .map(example -> example.passages().getFirst().sequence())
                        .toList(),
                settings.toBuilder().packing(false).build());
    }

    @Override
    public StepPlan plan() {
        return plan;
    }

    @Override
    public Sum gradients(int step, IntUnaryOperator seed, Pause pause) throws Stop {
        List<int[]> indices = plan.steps().get(step - 1);
        int targets = indices.stream()
                .mapToInt(index -> train.examples().get(index[0]).targetCount())
                .sum();
        scorer.clearGradients();
        double loss = 0;
        int tokens = 0;
        for (int i = 0; i < indices.size(); i++) {
            PassageExample example = train.examples().get(indices.get(i)[0]);
            RagSequenceLoss marginal = loss(example, pause);
            loss += marginal.loss();
            tokens += example.tokens();
            gradients(example, marginal, targets, seed.applyAsInt(i), pause);
        }
        return new Sum(loss, tokens, targets);
    }

    private void gradients(PassageExample example, RagSequenceLoss marginal, int targets, int seed, Pause pause)
            throws Stop {
        double[] dScores = marginal.dScores().clone();
        for (int k = 0; k < dScores.length; k++) {
            double counts = marginal.posterior()[k];
            if (counts >= NEGLIGIBLE) {
                pause.between();
                decoder.lossAndGradients(batch(example, k), 0, (float) (counts / targets), seed);
            }
            dScores[k] /= targets;
        }
        scorer.backward(example, dScores);
    }

    private RagSequenceLoss loss(PassageExample example, Pause pause) throws Stop {
        double[] logLikelihoods = new double[example.passages().size()];
        for (int k = 0; k < logLikelihoods.length; k++) {
            pause.between();
            logLikelihoods[k] = -decoder.loss(batch(example, k));
        }
        return RagSequenceLoss.of(scorer.scores(example), logLikelihoods);
    }

    private static MicroBatch batch(PassageExample example, int passage) {
        return MicroBatch.of(List.of(example.passages().get(passage).sequence()));
    }

    @Override
    public long tokensBehind(int step) {
        return plan.steps().subList(step, plan.count()).stream()
                .flatMap(List::stream)
                .mapToLong(index -> train.examples().get(index[0]).tokens())
                .sum();
    }

    @Override
    public boolean hasValidation() {
        return !validation.examples().isEmpty();
    }

    @Override
    public double validate(Pause pause) throws Stop {
        double loss = 0;
        int targets = 0;
        for (PassageExample example : validation.examples()) {
            loss += loss(example, pause).loss();
            targets += example.targetCount();
        }
        return loss / targets;
    }

    @Override
    public int tooLong() {
        return train.tooLong();
    }

    @Override
    public int withoutTargets() {
        return train.withoutTargets();
    }

    @Override
    public void write(Path folder) throws IOException {
        scorer.write(folder);
    }
}
