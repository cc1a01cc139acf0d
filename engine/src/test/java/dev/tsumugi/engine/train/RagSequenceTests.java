package dev.tsumugi.engine.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.train.PassageExample.Passage;
import dev.tsumugi.engine.train.TrainingOutcome.End;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The marginal likelihood over passages: its value, every gradient, and whole runs. */
class RagSequenceTests {
    private static final int DIMENSION = 6;

    @TempDir
    private Path folder;

    private static TrainingSettings settings(double dropout) {
        return TrainingSettings.defaults().toBuilder()
                .rank(4)
                .dropout(dropout)
                .learningRate(1e-2)
                .warmUpSteps(2)
                .microBatchTokens(64)
                .gradientAccumulation(2)
                .epochs(4)
                .build();
    }

    private static LoraTraining open(TrainingSettings settings) {
        return LoraTraining.open(
                TrainingGolden.model("tiny-llama"),
                settings,
                TrainingResources.defaults().withBackend("vector").withThreads(2),
                Precision.EXACT);
    }

    /** Scores a passage by a weighted product of the vectors, and learns the weights by plain descent. */
    private static final class WeightedProduct implements PassageScorer {
        final double[] weights = new double[DIMENSION];
        final double[] gradients = new double[DIMENSION];

        @Override
        public void initialize() {
            java.util.Arrays.fill(weights, 1);
        }

        @Override
        public double[] scores(PassageExample example) {
            return example.passages().stream()
                    .mapToDouble(passage -> IntStream.range(0, DIMENSION)
                            .mapToDouble(i -> weights[i] * example.question()[i] * passage.vector()[i])
                            .sum())
                    .toArray();
        }

        @Override
        public void backward(PassageExample example, double[] dScores) {
            for (int k = 0; k < dScores.length; k++) {
                for (int i = 0; i < DIMENSION; i++) {
                    gradients[i] += dScores[k]
                            * example.question()[i]
                            * example.passages().get(k).vector()[i];
                }
            }
        }

        @Override
        public void clearGradients() {
            java.util.Arrays.fill(gradients, 0);
        }

        @Override
        public void step(int step, double learningRate) {
            for (int i = 0; i < DIMENSION; i++) {
                weights[i] -= learningRate * gradients[i];
            }
        }

        @Override
        public void save(DataOutputStream out) throws IOException {
            for (double weight : weights) {
                out.writeDouble(weight);
            }
        }

        @Override
        public void load(DataInputStream in) throws IOException {
            for (int i = 0; i < DIMENSION; i++) {
                weights[i] = in.readDouble();
            }
        }

        @Override
        public void write(Path target) throws IOException {
            Files.writeString(target.resolve("scorer.txt"), java.util.Arrays.toString(weights));
        }
    }

    /** One of three passages says which of four answers is right, the others say nothing; its vector has the last dimension, which tells so. */
    private static List<PassageExample> examples(String name, int count, long seed) {
        Random random = new Random(seed);
        List<PassageExample> examples = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int kind = random.nextInt(4);
            int[] answer = {10 + kind, 20 + kind, 30 + kind};
            List<Passage> passages = new ArrayList<>();
            int right = random.nextInt(3);
            for (int k = 0; k < 3; k++) {
                int[] prompt = random.ints(4 + k, 50, 60).toArray();
                if (k == right) {
                    prompt[prompt.length - 1] = 40 + kind;
                }
                float[] vector = vector(random);
                vector[DIMENSION - 1] = k == right ? 0.8f : 0;
                passages.add(new Passage(TrainingSequence.of(name + i + "-" + k, prompt, answer), vector));
            }
            float[] question = vector(random);
            question[DIMENSION - 1] = 0.5f;
            examples.add(new PassageExample(name + i, question, passages));
        }
        return examples;
    }

    private static float[] vector(Random random) {
        float[] vector = new float[DIMENSION];
        for (int i = 0; i < DIMENSION - 1; i++) {
            vector[i] = (float) random.nextGaussian() * 0.3f;
        }
        return vector;
    }

    @Test
    void theLossIsTheMarginalLikelihoodAndItsGradientsAreThoseOfFiniteDifferences() {
        double[] scores = {0.3, -1.2, 2.0};
        double[] logLikelihoods = {-4, -2.5, -9};
        double[] weights = {Math.exp(0.3), Math.exp(-1.2), Math.exp(2.0)};
        double all = weights[0] + weights[1] + weights[2];
        double likelihood = 0;
        for (int k = 0; k < 3; k++) {
            likelihood += weights[k] / all * Math.exp(logLikelihoods[k]);
        }
        RagSequenceLoss loss = RagSequenceLoss.of(scores, logLikelihoods);
        assertThat(loss.loss()).isCloseTo(-Math.log(likelihood), within(1e-12));
        for (int k = 0; k < 3; k++) {
            int passage = k;
            assertThat(loss.dScores()[k])
                    .isCloseTo(difference(scores, passage, s -> RagSequenceLoss.of(s, logLikelihoods)), within(1e-8));
            assertThat(-loss.posterior()[k])
                    .isCloseTo(difference(logLikelihoods, passage, l -> RagSequenceLoss.of(scores, l)), within(1e-8));
        }
        RagSequenceLoss far = RagSequenceLoss.of(new double[] {0, 0}, new double[] {-2000, -2100});
        assertThat(far.loss()).as("without underflow").isCloseTo(2000 + Math.log(2), within(1e-9));
    }

    private static double difference(
            double[] at, int index, java.util.function.Function<double[], RagSequenceLoss> function) {
        double[] above = at.clone();
        double[] below = at.clone();
        above[index] += 1e-6;
        below[index] -= 1e-6;
        return (function.apply(above).loss() - function.apply(below).loss()) / 2e-6;
    }

    @Test
    void theGradientByTheAdapterAndByTheScorerIsThatOfFiniteDifferencesOfTheWholeLoss() throws Exception {
        TrainingSettings settings = settings(0);
        try (LoraTraining training = open(settings)) {
            PassageData data = PassageData.of("training", examples("e", 2, 5), 64, 1 << 20);
            WeightedProduct scorer = new WeightedProduct();
            scorer.initialize();
            RagSequenceObjective objective = new RagSequenceObjective(training.decoder(), settings, scorer, data, data);
            MemorySegment values = training.parameters().values().segment();
            Random random = new Random(1);
            for (long i = 0; i < training.trainableParameters(); i++) {
                values.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian() * 0.05f);
            }
            training.parameters().clearGradients();
            Objective.Sum sum = objective.gradients(1, i -> 0, () -> {});
            double loss = sum.loss() / sum.targets();
            assertThat(objective.validate(() -> {})).isCloseTo(loss, within(1e-6));

            MemorySegment gradients = training.parameters().gradients().segment();
            // Along the gradient itself, where the difference is far above the rounding of 32 bits.
            double norm = training.parameters().gradientNorm();
            double along = 0;
            for (int sign : new int[] {1, -1}) {
                move(values, gradients, sign * 0.01 / norm);
                along += sign * objective.validate(() -> {});
                move(values, gradients, -sign * 0.01 / norm);
            }
            assertThat(along / 0.02).isCloseTo(norm, within(0.02 * norm));

            for (int i = 0; i < DIMENSION; i++) {
                double before = scorer.weights[i];
                scorer.weights[i] = before + 1e-3;
                double above = objective.validate(() -> {});
                scorer.weights[i] = before - 1e-3;
                double below = objective.validate(() -> {});
                scorer.weights[i] = before;
                assertThat(scorer.gradients[i]).isCloseTo((above - below) / 2e-3, within(1e-6));
            }
        }
    }

    private static void move(MemorySegment values, MemorySegment gradients, double factor) {
        for (long i = 0; i < values.byteSize() / Float.BYTES; i++) {
            values.setAtIndex(
                    ValueLayout.JAVA_FLOAT,
                    i,
                    values.getAtIndex(ValueLayout.JAVA_FLOAT, i)
                            + (float) factor * gradients.getAtIndex(ValueLayout.JAVA_FLOAT, i));
        }
    }

    @Test
    void theLossFallsBothPartsAreTrainedAndAStoppedRunGoesOnWithTheSameBits() throws IOException {
        List<PassageExample> train = examples("train", 30, 1);
        List<PassageExample> held = examples("held", 6, 2);
        TrainingOutcome whole;
        WeightedProduct scorer = new WeightedProduct();
        try (LoraTraining training = open(settings(0.1))) {
            whole = training.runRagSequence(train, held, scorer, folder.resolve("whole"), TrainingListener.NONE);
        }
        assertThat(whole.evaluations().getLast().loss())
                .isLessThan(0.5 * whole.evaluations().getFirst().loss());
        assertThat(scorer.weights).doesNotContain(1);
        assertThat(whole.adapter().resolve("scorer.txt")).exists();

        WeightedProduct resumed = new WeightedProduct();
        TrainingOutcome last = null;
        while (last == null || last.end() == End.STOPPED) {
            try (LoraTraining training = open(settings(0.1))) {
                last = training.runRagSequence(train, held, resumed, folder.resolve("parts"), new TrainingListener() {
                    private int steps;

                    @Override
                    public void stepped(StepReport report) {
                        steps++;
                    }

                    @Override
                    public boolean stopRequested() {
                        return steps >= 25;
                    }
                });
            }
        }
        assertThat(last.losses()).isEqualTo(whole.losses());
        assertThat(resumed.weights).containsExactly(scorer.weights);
    }

    @Test
    void labelSmoothingHasNoLikelihoodAndAPassageThatIsTooLongLeavesTheOthers() throws IOException {
        TrainingSettings smoothed = settings(0).toBuilder().labelSmoothing(0.1).build();
        try (LoraTraining training = open(smoothed)) {
            assertThatThrownBy(() -> training.runRagSequence(
                            examples("e", 2, 1), List.of(), new WeightedProduct(), folder, TrainingListener.NONE))
                    .isInstanceOf(TrainingRefusedException.class)
                    .hasMessageContaining("label smoothing");
        }
        PassageExample example = examples("e", 1, 1).getFirst();
        int longest = example.passages().stream()
                        .mapToInt(passage -> passage.sequence().tokens().length)
                        .max()
                        .orElseThrow()
                - 1;
        PassageData data = PassageData.of("training", List.of(example), longest, 1 << 20);
        assertThat(data.examples().getFirst().passages()).hasSizeBetween(1, 2);
        assertThat(data.tooLong()).isPositive();
    }
}
