package dev.tsumugi.engine.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Percentage.withPercentage;

import dev.tsumugi.engine.Golden;
import dev.tsumugi.engine.files.SafetensorsFile;
import dev.tsumugi.engine.kernels.Precision;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Every family: the loss that its recorded logits give, and gradients against differences of losses. */
class FamiliesTrainingTests {
    private static final TrainingSettings SETTINGS = TrainingSettings.defaults().toBuilder()
            .rank(4)
            .targets(List.of(TrainingSettings.ALL_LINEAR))
            .microBatchTokens(160)
            .build();

    private static LoraTraining open(Path model, TrainingSettings settings) {
        return LoraTraining.open(
                model,
                settings,
                TrainingResources.defaults().withBackend("vector").withThreads(2),
                Precision.EXACT);
    }

    private static MicroBatch batch(int[] ids, int length) {
        List<TrainingSequence> sequences = new ArrayList<>();
        for (int from = 0; from < ids.length; from += length) {
            boolean[] targets = new boolean[length];
            Arrays.fill(targets, true);
            sequences.add(new TrainingSequence("row", Arrays.copyOfRange(ids, from, from + length), targets));
        }
        return MicroBatch.of(sequences);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "tiny-llama",
                "tiny-llama3-rope",
                "tiny-qwen2",
                "tiny-qwen3",
                "tiny-mistral",
                "tiny-gptneox",
                "tiny-gptneox-sequential"
            })
    void theLossIsThatOfTheRecordedLogits(String name) {
        try (LoraTraining training = open(TrainingGolden.model(name), SETTINGS);
                SafetensorsFile expected = TrainingGolden.open(name + "/expected.safetensors")) {
            int[] ids = Golden.ids(expected.tensor("long.input_ids").orElseThrow());
            float[] logits = Golden.floats(expected.tensor("long.logits").orElseThrow());
            MicroBatch batch = batch(ids, ids.length);
            assertThat(training.decoder().loss(batch)).isCloseTo(crossEntropy(logits, ids), withPercentage(1e-3));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"tiny-llama", "tiny-llama-mixed"})
    void filesWhoseHeadsAreInterleavedGiveTheLossOfTheirLogits(String name) {
        try (LoraTraining training = open(Golden.path("gguf/" + name + ".gguf"), SETTINGS);
                SafetensorsFile expected = TrainingGolden.open("gguf/" + name + "-expected.safetensors")) {
            int[] ids = Golden.ids(expected.tensor("input_ids").orElseThrow());
            float[] logits = Golden.floats(expected.tensor("logits").orElseThrow());
            MicroBatch first = batch(Arrays.copyOf(ids, 17), 17);
            assertThat(training.decoder().loss(first))
                    .isCloseTo(crossEntropy(logits, Arrays.copyOf(ids, 17)), withPercentage(1e-3));
        }
    }

    private static double crossEntropy(float[] logits, int[] ids) {
        int vocabulary = 320;
        double sum = 0;
        for (int t = 0; t + 1 < ids.length; t++) {
            double exponentials = 0;
            for (int v = 0; v < vocabulary; v++) {
                exponentials += Math.exp(logits[t * vocabulary + v]);
            }
            sum += Math.log(exponentials) - logits[t * vocabulary + ids[t + 1]];
        }
        return sum;
    }

    /** Long enough for several tiles of attention, and for windows to hide something. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "tiny-llama",
                "tiny-llama3-rope",
                "tiny-qwen2",
                "tiny-qwen3",
                "tiny-mistral",
                "tiny-gptneox",
                "tiny-gptneox-sequential"
            })
    void gradientsAreTheSlopesOfTheLoss(String name) {
        TrainingSettings settings = SETTINGS.toBuilder()
                .targets(List.of(TrainingSettings.ALL_LINEAR, name.contains("gptneox") ? "embed_out" : "lm_head"))
                .build();
        try (LoraTraining training = open(TrainingGolden.model(name), settings)) {
            Random random = new Random(3);
            MicroBatch batch = batch(random.ints(130, 3, 320).toArray(), 130);
            LoraParameters parameters = training.parameters();
            MemorySegment values = parameters.values().segment();
            for (long i = 0; i < parameters.count(); i++) {
                values.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) (0.1 * random.nextGaussian()));
            }
            parameters.clearGradients();
            int targets = batch.targets().length;
            double unused = training.decoder().lossAndGradients(batch, 0, 1f / targets, 0);
            float[] gradients = parameters.gradients().segment().toArray(ValueLayout.JAVA_FLOAT);
            // Along each matrix's own gradient, where the slope is steepest and rounding matters least.
            for (LoraParameters.Adapted layer : parameters.layers()) {
                int rank = parameters.rank();
                slope(training, batch, gradients, layer.module().name() + " A", layer.a(), rank * layer.inputs());
                slope(
                        training,
                        batch,
                        gradients,
                        layer.module().name() + " B",
                        layer.b(),
                        rank * layer.module().outputs());
            }
        }
    }

    private static void slope(
            LoraTraining training, MicroBatch batch, float[] gradients, String what, long offset, int count) {
        double norm = 0;
        for (int i = 0; i < count; i++) {
            norm += Math.pow(gradients[(int) offset + i], 2);
        }
        norm = Math.sqrt(norm);
        double length = 0.02;
        double above = moved(training, batch, gradients, offset, count, length / norm);
        double below = moved(training, batch, gradients, offset, count, -length / norm);
        assertThat((above - below) / (2 * length * batch.targets().length))
                .as("slope of the loss along %s", what)
                .isCloseTo(norm, withPercentage(2));
    }

    private static double moved(
            LoraTraining training, MicroBatch batch, float[] gradients, long offset, int count, double by) {
        MemorySegment values = training.parameters().values().segment();
        float[] before = new float[count];
        MemorySegment.copy(values, ValueLayout.JAVA_FLOAT, offset * 4, before, 0, count);
        for (int i = 0; i < count; i++) {
            values.setAtIndex(
                    ValueLayout.JAVA_FLOAT, offset + i, (float) (before[i] + by * gradients[(int) offset + i]));
        }
        double loss = training.decoder().loss(batch);
        MemorySegment.copy(before, 0, values, ValueLayout.JAVA_FLOAT, offset * 4, count);
        return loss;
    }
}
