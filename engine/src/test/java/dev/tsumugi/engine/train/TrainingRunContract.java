package dev.tsumugi.engine.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Percentage.withPercentage;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.kernels.VectorBackend;
import dev.tsumugi.engine.train.TrainingOutcome.End;
import dev.tsumugi.engine.train.TrainingSettings.BaseWeights;
import dev.tsumugi.engine.train.TrainingSettings.OptimizerKind;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Whole runs where memory is not that of this process: evaluations, checkpoints, the adapter's folder; a backend's test extends this. */
public abstract class TrainingRunContract {
    @TempDir
    private Path folder;

    /** The backend under test. */
    protected abstract Backend open();

    private static TrainingSettings settings(OptimizerKind optimizer) {
        // At this rank most matrices are large enough for moments of 8 bits.
        return TrainingSettings.defaults().toBuilder()
                .rank(64)
                .learningRate(5e-3)
                .warmUpSteps(1)
                .microBatchTokens(64)
                .gradientAccumulation(1)
                .epochs(2)
                .dropout(0.1)
                .base(BaseWeights.NF4)
                .optimizer(optimizer)
                .build();
    }

    private static List<TrainingSequence> sequences(String name, int count, long seed) {
        Random random = new Random(seed);
        return IntStream.range(0, count)
                .mapToObj(i -> {
                    int[] half = random.ints(4 + random.nextInt(8), 3, 40).toArray();
                    return TrainingSequence.of(name + " " + i, half, half);
                })
                .toList();
    }

    private static TrainingOutcome run(Backend backend, TrainingSettings settings, Path folder, int mostSteps)
            throws IOException {
        try (LoraTraining training = LoraTraining.open(
                TrainingGolden.model("tiny-llama"), settings, TrainingResources.defaults(), backend)) {
            return training.run(sequences("train", 6, 1), sequences("held", 2, 2), folder, new TrainingListener() {
                private int done;

                @Override
                public void stepped(StepReport report) {
                    done++;
                }

                @Override
                public boolean stopRequested() {
                    return done >= mostSteps;
                }
            });
        }
    }

    @ParameterizedTest
    @EnumSource(OptimizerKind.class)
    void aRunLearnsWhatTheProcessorLearnsAndGoesOnWithTheSameBitsWhereItWasStopped(OptimizerKind optimizer)
            throws IOException {
        TrainingSettings settings = settings(optimizer);
        TrainingOutcome expected =
                run(new VectorBackend(1, Precision.EXACT), settings, folder.resolve("host"), Integer.MAX_VALUE);
        TrainingOutcome whole = run(open(), settings, folder.resolve("whole"), Integer.MAX_VALUE);
        assertThat(whole.losses()).hasSameSizeAs(expected.losses()).hasSizeGreaterThan(3);
        for (int step = 0; step < whole.losses().size(); step++) {
            assertThat(whole.losses().get(step))
                    .as("loss of step %d", step + 1)
                    .isCloseTo(expected.losses().get(step), withPercentage(1));
        }
        Path parts = folder.resolve("parts");
        assertThat(run(open(), settings, parts, 2).end()).isEqualTo(End.STOPPED);
        TrainingOutcome rest = run(open(), settings, parts, Integer.MAX_VALUE);
        assertThat(rest.losses()).isEqualTo(whole.losses());
        assertThat(rest.evaluations()).isEqualTo(whole.evaluations());
        assertThat(rest.adapter().resolve("adapter_model.safetensors"))
                .hasSameBinaryContentAs(whole.adapter().resolve("adapter_model.safetensors"));
    }
}
