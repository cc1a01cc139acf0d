package dev.tsumugi.engine.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tsumugi.engine.adapter.PeftAdapter;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.tokenizer.ChatMessage;
import dev.tsumugi.engine.train.TrainingListener.EvaluationReport;
import dev.tsumugi.engine.train.TrainingListener.StepReport;
import dev.tsumugi.engine.train.TrainingOutcome.End;
import dev.tsumugi.engine.train.TrainingRefusedException.Reason;
import dev.tsumugi.engine.train.TrainingSettings.BaseWeights;
import dev.tsumugi.engine.train.TrainingSettings.OptimizerKind;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Whole runs on a tiny model: what they learn, how they stop and go on, and what they refuse. */
class LoraTrainingTests {
    private static final TrainingResources RESOURCES =
            TrainingResources.defaults().withBackend("vector").withThreads(2);

    @TempDir
    private Path folder;

    private static TrainingSettings settings(UnaryOperator<TrainingSettings.Builder> changes) {
        return changes.apply(TrainingSettings.defaults().toBuilder()
                        .rank(4)
                        .learningRate(5e-3)
                        .warmUpSteps(2)
                        .microBatchTokens(64)
                        .gradientAccumulation(2)
                        .epochs(4))
                .build();
    }

    private static LoraTraining open(TrainingSettings settings) {
        return LoraTraining.open(TrainingGolden.model("tiny-llama"), settings, RESOURCES, Precision.EXACT);
    }

    /** Sequences whose second half repeats the first, which can be learned. */
    private static List<TrainingSequence> sequences(String name, int count, long seed) {
        Random random = new Random(seed);
        return IntStream.range(0, count)
                .mapToObj(i -> {
                    int[] half = random.ints(4 + random.nextInt(8), 3, 40).toArray();
                    return TrainingSequence.of(name + " " + i, half, half);
                })
                .toList();
    }

    /** Stops after so many steps. */
    private static final class StopsAfter implements TrainingListener {
        private final int steps;
        private int done;

        StopsAfter(int steps) {
            this.steps = steps;
        }

        @Override
        public void stepped(StepReport report) {
            done++;
        }

        @Override
        public boolean stopRequested() {
            return done >= steps;
        }
    }

    @Test
    void theLossFallsAndTheBestAdapterIsAFolderThatTheEngineReads() throws IOException {
        List<StepReport> steps = new ArrayList<>();
        List<EvaluationReport> evaluations = new ArrayList<>();
        try (LoraTraining training = open(settings(s -> s.epochs(6)))) {
            TrainingOutcome outcome =
                    training.run(sequences("train", 60, 1), sequences("held", 8, 2), folder, new TrainingListener() {
                        @Override
                        public void stepped(StepReport report) {
                            steps.add(report);
                        }

                        @Override
                        public void evaluated(EvaluationReport report) {
                            evaluations.add(report);
                        }
                    });
            assertThat(outcome.end()).isEqualTo(End.COMPLETED);
            assertThat(outcome.losses()).hasSameSizeAs(steps);
            assertThat(evaluations).isEqualTo(outcome.evaluations()).hasSize(7);
            assertThat(evaluations.getFirst().step()).isZero();
            double lowest = evaluations.stream()
                    .filter(e -> e.step() == outcome.bestStep())
                    .findFirst()
                    .orElseThrow()
                    .loss();
            assertThat(lowest).isLessThan(0.9 * evaluations.getFirst().loss());
            assertThat(steps.getLast().step()).isEqualTo(steps.getLast().steps());
            assertThat(steps.getLast().epoch()).isEqualTo(6);
            assertThat(steps).allMatch(s -> s.tokens() > 0 && s.tokensPerSecond() > 0 && s.gradientNorm() > 0);
            try (PeftAdapter adapter = PeftAdapter.open(outcome.adapter())) {
                adapter.requireFinite();
                assertThat(adapter.rank()).isEqualTo(4);
                assertThat(adapter.elements()).isEqualTo(training.trainableParameters());
            }
        }
    }

    @ParameterizedTest
    @EnumSource(OptimizerKind.class)
    void aRunThatWasStoppedGoesOnWithTheSameBits(OptimizerKind optimizer) throws IOException {
        TrainingSettings settings =
                settings(s -> s.dropout(0.1).optimizer(optimizer).rank(64).base(BaseWeights.NF4));
        List<TrainingSequence> train = sequences("train", 30, 1);
        List<TrainingSequence> held = sequences("held", 6, 2);
        TrainingOutcome whole;
        try (LoraTraining training = open(settings)) {
            whole = training.run(train, held, folder.resolve("whole"), TrainingListener.NONE);
        }
        Path parts = folder.resolve("parts");
        TrainingOutcome last = null;
        for (int run = 0; last == null || last.end() == End.STOPPED; run++) {
            try (LoraTraining training = open(settings)) {
                last = training.run(train, held, parts, new StopsAfter(3));
                assertThat(run).isLessThan(100);
            }
        }
        assertThat(last.losses()).isEqualTo(whole.losses());
        assertThat(last.evaluations()).isEqualTo(whole.evaluations());
        assertThat(last.bestStep()).isEqualTo(whole.bestStep());
        assertThat(last.adapter().resolve("adapter_model.safetensors"))
                .hasSameBinaryContentAs(whole.adapter().resolve("adapter_model.safetensors"));
    }

    @Test
    void whatHappensBehindACheckpointIsForgottenWhenTheProgramEnds() throws IOException {
        TrainingSettings settings = settings(s -> s.evaluateEverySteps(4));
        List<TrainingSequence> train = sequences("train", 30, 1);
        List<TrainingSequence> held = sequences("held", 6, 2);
        TrainingOutcome whole;
        try (LoraTraining training = open(settings)) {
            whole = training.run(train, held, folder.resolve("whole"), TrainingListener.NONE);
        }
        Path killed = folder.resolve("killed");
        try (LoraTraining training = open(settings)) {
            // An error in the midst of step 7 saves nothing: the checkpoint is that of step 4.
            assertThatThrownBy(() -> training.run(train, held, killed, new TrainingListener() {
                        private int done;

                        @Override
                        public void stepped(StepReport report) {
                            done++;
                        }

                        @Override
                        public void beforeMicroBatch() {
                            if (done == 6) {
                                throw new IllegalStateException("the end");
                            }
                        }
                    }))
                    .hasMessage("the end");
        }
        try (LoraTraining training = open(settings)) {
            List<Integer> steps = new ArrayList<>();
            TrainingOutcome rest = training.run(train, held, killed, new TrainingListener() {
                @Override
                public void stepped(StepReport report) {
                    steps.add(report.step());
                }
            });
            assertThat(steps).startsWith(5);
            assertThat(rest.losses()).isEqualTo(whole.losses());
            assertThat(rest.evaluations()).isEqualTo(whole.evaluations());
        }
    }

    @Test
    void layersComputedTwiceGiveTheSameBits() throws IOException {
        TrainingSettings settings = settings(s -> s.dropout(0.2).epochs(1));
        long memory = LoraTraining.forecast(TrainingGolden.model("tiny-llama"), settings, RESOURCES)
                .total();
        List<TrainingSequence> train = sequences("train", 20, 1);
        TrainingOutcome once;
        try (LoraTraining training = open(settings)) {
            assertThat(training.forecast().computesTwice()).isFalse();
            once = training.run(train, List.of(), folder.resolve("once"), TrainingListener.NONE);
        }
        try (LoraTraining training = LoraTraining.open(
                TrainingGolden.model("tiny-llama"), settings, RESOURCES.withMemoryBytes(memory - 1), Precision.EXACT)) {
            assertThat(training.forecast().computesTwice()).isTrue();
            TrainingOutcome twice = training.run(train, List.of(), folder.resolve("twice"), TrainingListener.NONE);
            assertThat(twice.losses()).isEqualTo(once.losses());
            assertThat(twice.adapter().resolve("adapter_model.safetensors"))
                    .hasSameBinaryContentAs(once.adapter().resolve("adapter_model.safetensors"));
        }
    }

    @Test
    void trainingEndsWhenNothingGetsBetterAndKeepsTheBest() throws IOException {
        TrainingSettings settings = settings(
                s -> s.learningRate(0.2).epochs(50).evaluateEverySteps(1).patience(2));
        try (LoraTraining training = open(settings)) {
            TrainingOutcome outcome =
                    training.run(sequences("train", 10, 1), sequences("held", 6, 2), folder, TrainingListener.NONE);
            assertThat(outcome.end()).isEqualTo(End.EARLY);
            assertThat(outcome.steps()).isEqualTo(outcome.bestStep() + 2);
        }
    }

    @Test
    void dropoutIsRepeatableAndChangesWhatIsLearned() throws IOException {
        List<Double> without = losses(settings(s -> s.epochs(1)), "without");
        List<Double> with = losses(settings(s -> s.epochs(1).dropout(0.3)), "with");
        assertThat(losses(settings(s -> s.epochs(1).dropout(0.3)), "again")).isEqualTo(with);
        assertThat(with).isNotEqualTo(without);
        assertThat(losses(settings(s -> s.epochs(1).dropout(0.3).seed(2)), "other"))
                .isNotEqualTo(with);
    }

    private List<Double> losses(TrainingSettings settings, String name) throws IOException {
        try (LoraTraining training = open(settings)) {
            return training.run(sequences("train", 20, 1), List.of(), folder.resolve(name), TrainingListener.NONE)
                    .losses();
        }
    }

    @Test
    void theHeadAloneCanBeAdapted() throws IOException {
        TrainingSettings settings = settings(s -> s.targets(List.of("lm_head")).epochs(8));
        try (LoraTraining training = open(settings)) {
            assertThat(training.trainableParameters()).isEqualTo(4 * (320 + 64));
            TrainingOutcome outcome =
                    training.run(sequences("train", 20, 1), sequences("held", 6, 2), folder, TrainingListener.NONE);
            assertThat(outcome.evaluations().getLast().loss())
                    .isLessThan(outcome.evaluations().getFirst().loss());
        }
    }

    @Test
    void unfitDataIsRefusedWithWhatToMend() {
        try (LoraTraining training = open(settings(s -> s))) {
            List<TrainingSequence> train = sequences("train", 5, 1);
            refused(training, List.of(), List.of(), Reason.EMPTY, "is empty");
            refused(
                    training,
                    List.of(new TrainingSequence("masked", new int[] {5, 6}, new boolean[2])),
                    List.of(),
                    Reason.NOTHING_TO_LEARN,
                    "all labels are masked");
            refused(training, train, train.subList(0, 1), Reason.LEAK, "train 0 (trained on as train 0)");
            refused(
                    training,
                    List.of(TrainingSequence.of("foreign", new int[] {5}, new int[] {320})),
                    List.of(),
                    Reason.MISMATCH,
                    "token 320");
            refused(
                    training,
                    List.of(TrainingSequence.of("long", new int[64], new int[] {5})),
                    List.of(),
                    Reason.EMPTY,
                    "longer than 64 tokens");
        }
    }

    private void refused(
            LoraTraining training,
            List<TrainingSequence> train,
            List<TrainingSequence> held,
            Reason reason,
            String message) {
        assertThatThrownBy(() -> training.run(train, held, folder, TrainingListener.NONE))
                .isInstanceOfSatisfying(
                        TrainingRefusedException.class,
                        e -> assertThat(e.reason()).isEqualTo(reason))
                .hasMessageContaining(message);
    }

    @Test
    void sequencesThatAreTooLongAreCountedAndLeftOut() throws IOException {
        List<TrainingSequence> train = new ArrayList<>(sequences("train", 5, 1));
        train.add(TrainingSequence.of("long", new int[100], new int[] {5}));
        train.add(new TrainingSequence("masked", new int[] {5, 6}, new boolean[2]));
        try (LoraTraining training = open(settings(s -> s.epochs(1)))) {
            TrainingOutcome outcome = training.run(train, List.of(), folder, TrainingListener.NONE);
            assertThat(outcome.tooLong()).isEqualTo(1);
            assertThat(outcome.withoutTargets()).isEqualTo(1);
        }
    }

    @Test
    void aCheckpointOfAnotherRunOrADamagedOneIsRefused() throws IOException {
        List<TrainingSequence> train = sequences("train", 5, 1);
        try (LoraTraining training = open(settings(s -> s.epochs(1)))) {
            TrainingOutcome unused = training.run(train, List.of(), folder, TrainingListener.NONE);
            refused(training, sequences("train", 6, 1), List.of(), Reason.CHECKPOINT, "other data");
            Path file = folder.resolve(Checkpoint.FILE);
            byte[] bytes = Files.readAllBytes(file);
            bytes[bytes.length / 2] ^= 1;
            Files.write(file, bytes, StandardOpenOption.TRUNCATE_EXISTING);
            refused(training, train, List.of(), Reason.CHECKPOINT, "is damaged");
        }
    }

    @Test
    void lossesThatAreNoNumbersEndTraining() {
        try (LoraTraining training = open(settings(s -> s))) {
            assertThatThrownBy(() -> training.run(sequences("train", 10, 1), List.of(), folder, new TrainingListener() {
                        @Override
                        public void beforeMicroBatch() {
                            training.parameters().values().segment().setAtIndex(ValueLayout.JAVA_FLOAT, 0, Float.NaN);
                        }
                    }))
                    .isInstanceOfSatisfying(
                            TrainingRefusedException.class,
                            e -> assertThat(e.reason()).isEqualTo(Reason.DIVERGED))
                    .hasMessageContaining("lower the learning rate");
        }
    }

    @Test
    void moreMemoryThanAllowedIsRefusedWithTheNumbers() {
        assertThatThrownBy(() -> LoraTraining.open(
                        TrainingGolden.model("tiny-llama"), settings(s -> s), RESOURCES.withMemoryBytes(1 << 20)))
                .isInstanceOfSatisfying(
                        TrainingRefusedException.class,
                        e -> assertThat(e.reason()).isEqualTo(Reason.MEMORY))
                .hasMessageContaining("may take 1:")
                .hasMessageContaining("base weights");
    }

    @Test
    void sequencesAreRenderedAsTheEngineServesAndEndWithTheEndOfTheTurn() {
        try (LoraTraining training = open(settings(s -> s))) {
            List<ChatMessage> messages = List.of(new ChatMessage("user", "Where? <|im_end|>"));
            TrainingSequence sequence = training.sequence("one", messages, "There.");
            int[] prompt = training.text().chatPrompt(messages);
            assertThat(sequence.tokens()).startsWith(prompt);
            assertThat(sequence.targets()[prompt.length - 1]).isFalse();
            assertThat(sequence.targetCount()).isEqualTo(sequence.tokens().length - prompt.length);
            assertThat(training.text().endTokens()).contains(sequence.tokens()[sequence.tokens().length - 1]);
            int[] answer = Arrays.copyOfRange(sequence.tokens(), prompt.length, sequence.tokens().length - 1);
            assertThat(training.text().tokenizer().decode(answer, false)).isEqualTo("There.");
        }
    }
}
