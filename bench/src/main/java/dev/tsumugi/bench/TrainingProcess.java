package dev.tsumugi.bench;

import dev.tsumugi.engine.train.LoraTraining;
import dev.tsumugi.engine.train.TrainingListener;
import dev.tsumugi.engine.train.TrainingOutcome;
import dev.tsumugi.engine.train.TrainingResources;
import dev.tsumugi.engine.train.TrainingSequence;
import dev.tsumugi.engine.train.TrainingSettings;
import dev.tsumugi.engine.train.TrainingSettings.BaseWeights;
import dev.tsumugi.engine.train.TrainingSettings.Schedule;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Training and nothing else, as other programs are measured: steps of 4 x 384 random tokens, all of them targets, rank 8 on all linear layers,
 * AdamW. Prints tokens per second of each measured step, how many cores others used meanwhile, and the peak of its memory in MiB, a line each.
 * Arguments: model, backend, threads, base weights, measured steps.
 */
final class TrainingProcess {
    static final int SEQUENCES = 4;
    static final int LENGTH = 384;
    private static final int WARM_UPS = 3;

    private TrainingProcess() {}

    public static void main(String[] arguments) throws IOException {
        int steps = WARM_UPS + Integer.parseInt(arguments[4]);
        // One sequence at a time: the sum of their gradients is the step's, and activations take a quarter of the
        // memory.
        TrainingSettings settings = TrainingSettings.defaults().toBuilder()
                .rank(8)
                .alpha(32)
                .base(BaseWeights.valueOf(arguments[3]))
                .schedule(Schedule.LINEAR)
                .warmUpSteps(0)
                .microBatchTokens(LENGTH)
                .gradientAccumulation(SEQUENCES)
                .epochs(steps)
                .build();
        TrainingResources resources =
                TrainingResources.defaults().withBackend(arguments[1]).withThreads(Integer.parseInt(arguments[2]));
        Path folder = Files.createTempDirectory("tsumugi-bench-training");
        try (LoraTraining training = LoraTraining.open(Path.of(arguments[0]), settings, resources)) {
            Speeds speeds = new Speeds();
            List<TrainingSequence> data = data(training.config().vocabularySize());
            TrainingOutcome outcome = training.run(data, List.of(), folder, speeds);
            BenchException.require(
                    outcome.losses().getLast() < outcome.losses().getFirst(),
                    "the loss does not fall on a repeated batch: " + outcome.losses());
            speeds.measured.forEach(System.out::println);
            System.out.println(speeds.otherCores);
            System.out.println(Processors.peakMiB(ProcessHandle.current().pid()));
        } finally {
            delete(folder);
        }
    }

    private static List<TrainingSequence> data(int vocabulary) {
        Random random = new Random(1);
        List<TrainingSequence> sequences = new ArrayList<>();
        for (int i = 0; i < SEQUENCES; i++) {
            int[] first = random.ints(1, 1000, vocabulary - 1000).toArray();
            int[] others = random.ints(LENGTH - 1, 1000, vocabulary - 1000).toArray();
            sequences.add(TrainingSequence.of("sequence " + i, first, others));
        }
        return sequences;
    }

    private static final class Speeds implements TrainingListener {
        private final List<Double> measured = new ArrayList<>();
        private final Set<Long> own = Set.of(ProcessHandle.current().pid());
        private Processors processors = new Processors(own);
        private double otherCores;

        @Override
        public void stepped(StepReport report) {
            if (report.step() > WARM_UPS) {
                measured.add(report.tokensPerSecond());
                otherCores = processors.otherCores();
            } else {
                processors = new Processors(own);
            }
        }
    }

    private static void delete(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }
}
