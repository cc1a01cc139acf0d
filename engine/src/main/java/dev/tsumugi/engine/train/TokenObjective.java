package dev.tsumugi.engine.train;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntUnaryOperator;

/** Cross-entropy of the target tokens of sequences. */
final class TokenObjective implements Objective {
    private final Decoder decoder;
    private final TrainingSettings settings;
    private final TrainingData train;
    private final TrainingData validation;
    private final StepPlan plan;

    TokenObjective(Decoder decoder, TrainingSettings settings, TrainingData train, TrainingData validation) {
        this.decoder = decoder;
        this.settings = settings;
        this.train = train;
        this.validation = validation;
        plan = StepPlan.of(train.sequences(), settings);
    }

    @Override
    public StepPlan plan() {
        return plan;
    }

    @Override
    public Sum gradients(int step, IntUnaryOperator seed, Pause pause) throws Stop {
        List<MicroBatch> batches = new ArrayList<>();
        int tokens = 0;
        int targets = 0;
        for (int[] indices : plan.steps().get(step - 1)) {
            MicroBatch batch = MicroBatch.of(sequences(train, indices));
            batches.add(batch);
            tokens += batch.size();
            targets += batch.targets().length;
        }
        double loss = 0;
        for (int i = 0; i < batches.size(); i++) {
            pause.between();
            loss += decoder.lossAndGradients(
                    batches.get(i), settings.labelSmoothing(), 1f / targets, seed.applyAsInt(i));
        }
        return new Sum(loss, tokens, targets);
    }

    private static List<TrainingSequence> sequences(TrainingData data, int[] indices) {
        List<TrainingSequence> sequences = new ArrayList<>();
        for (int index : indices) {
            sequences.add(data.sequences().get(index));
        }
        return sequences;
    }

    @Override
    public long tokensBehind(int step) {
        return plan.steps().subList(step, plan.count()).stream()
                .flatMap(List::stream)
                .mapToLong(indices -> sequences(train, indices).stream()
                        .mapToLong(s -> s.tokens().length)
                        .sum())
                .sum();
    }

    @Override
    public boolean hasValidation() {
        return !validation.sequences().isEmpty();
    }

    @Override
    public double validate(Pause pause) throws Stop {
        List<Integer> order = new ArrayList<>();
        for (int i = 0; i < validation.sequences().size(); i++) {
            order.add(i);
        }
        double loss = 0;
        for (int[] indices : StepPlan.packed(order, validation.sequences(), settings.microBatchTokens())) {
            pause.between();
            loss += decoder.loss(MicroBatch.of(sequences(validation, indices)));
        }
        return loss / validation.targets();
    }

    @Override
    public int tooLong() {
        return train.tooLong();
    }

    @Override
    public int withoutTargets() {
        return train.withoutTargets();
    }
}
