package dev.tsumugi.engine.train;

import static dev.tsumugi.engine.train.TrainingGolden.floats;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;
import static org.assertj.core.data.Percentage.withPercentage;

import dev.tsumugi.engine.Golden;
import dev.tsumugi.engine.files.SafetensorsFile;
import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.model.LowRankPair;
import dev.tsumugi.engine.tensor.Tensor;
import dev.tsumugi.engine.train.TrainingSettings.BaseWeights;
import dev.tsumugi.engine.train.TrainingSettings.Schedule;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Losses, every gradient, and runs of twenty steps against what PEFT and PyTorch computed in fp32; a backend's test extends this. */
public abstract class GoldenTrainingContract {
    /** Relative to the largest gradient of a matrix; the noise of fp32 is 1.5e-5. */
    private static final double GRADIENT = 1e-4;

    /** The backend under test. */
    protected abstract Backend open();

    @ParameterizedTest
    @CsvSource({
        "tiny-llama, llama-r8, llama-r8, SERVED",
        "tiny-llama, llama-r4-rslora, llama-r4-rslora, SERVED",
        "tiny-gptneox, gptneox-r8, gptneox-r8, SERVED",
        "tiny-llama, llama-r8, qlora-llama-r8, NF4",
        "tiny-llama, llama-r4-rslora, qlora-llama-r4-rslora, NF4"
    })
    void lossAndEveryGradientAreThoseOfPeft(String model, String adapter, String recorded, BaseWeights base) {
        TrainingSettings settings =
                TrainingGolden.settings(adapter).toBuilder().base(base).build();
        try (LoraTraining training = TrainingGolden.open(model, adapter, settings, open())) {
            agrees(training, recorded + "/loss.safetensors", 0);
            agrees(training, recorded + "/label-smoothing.safetensors", 0.1);
        }
    }

    private static void agrees(LoraTraining training, String file, double smoothing) {
        try (SafetensorsFile expected = TrainingGolden.open("train/" + file)) {
            MicroBatch batch = TrainingGolden.batch(expected);
            training.parameters().clearGradients();
            int targets = batch.targets().length;
            double loss = training.decoder().lossAndGradients(batch, smoothing, 1f / targets, 0);
            assertThat(loss / targets).isCloseTo(floats(expected, "loss")[0], withPercentage(1e-3));
            gradientsAgree(training.parameters(), expected);
            assertThat(training.parameters().gradientNorm())
                    .isCloseTo(floats(expected, "grad_norm")[0], withPercentage(1e-2));
        }
    }

    private static void gradientsAgree(LoraParameters parameters, SafetensorsFile expected) {
        try (Arena arena = Arena.ofConfined()) {
            Map<String, LowRankPair> gradients = parameters.pairs(parameters.gradients(), arena);
            long recorded = expected.names().stream()
                    .filter(n -> n.startsWith("grad.base_model"))
                    .count();
            assertThat(2 * gradients.size()).isEqualTo((int) recorded);
            gradients.forEach((module, pair) -> {
                agree(module + " A", pair.a(), floats(expected, "grad.base_model.model." + module + ".lora_A.weight"));
                agree(module + " B", pair.b(), floats(expected, "grad.base_model.model." + module + ".lora_B.weight"));
            });
        }
    }

    private static void agree(String what, Tensor actual, float[] expected) {
        float[] values = Golden.floats(actual);
        float largest = 0;
        for (float value : expected) {
            largest = Math.max(largest, Math.abs(value));
        }
        for (int i = 0; i < expected.length; i++) {
            assertThat((double) values[i])
                    .as("%s, element %d", what, i)
                    .isCloseTo(expected[i], offset(GRADIENT * largest));
        }
    }

    @Test
    void sequencesInOneRowDoNotSeeEachOther() {
        try (LoraTraining training =
                        TrainingGolden.open("tiny-llama", "llama-r8", TrainingGolden.settings("llama-r8"), open());
                SafetensorsFile expected = TrainingGolden.open("train/packing.safetensors")) {
            int[] ids = TrainingGolden.ints(expected, "unpacked.input_ids");
            int[] mask = TrainingGolden.ints(expected, "unpacked.attention_mask");
            int[] labels = TrainingGolden.ints(expected, "unpacked.labels");
            MicroBatch batch = MicroBatch.of(TrainingGolden.sequences(ids, mask, labels, 13));
            training.parameters().clearGradients();
            int targets = batch.targets().length;
            double loss = training.decoder().lossAndGradients(batch, 0, 1f / targets, 0);
            assertThat(loss / targets).isCloseTo(floats(expected, "packed.loss")[0], withPercentage(1e-3));
            gradientsAgree(training.parameters(), expected);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"polynomial", "cosine-one-batch", "linear-no-clip", "accumulate2", "accumulate2-micro-mean"})
    void twentyStepsLeadWhereTheyLedPyTorch(String name) {
        JsonNode recorded = JsonMapper.shared()
                .readTree(Golden.path("train/trajectory-" + name + ".json").toFile());
        Backend backend = open();
        try (LoraTraining training =
                        TrainingGolden.open("tiny-llama", "llama-r8", TrainingGolden.settings("llama-r8"), backend);
                SafetensorsFile data = TrainingGolden.open("train/trajectory-" + name + ".safetensors")) {
            LoraParameters parameters = training.parameters();
            Optimizer optimizer = new AdamW(
                    (int) parameters.count(), recorded.get("weight_decay").asDouble(), backend.trainingKernels());
            boolean microMean = recorded.get("normalise").asString().equals("micro-mean");
            Schedule schedule =
                    Schedule.valueOf(recorded.get("schedule").asString().toUpperCase(Locale.ROOT));
            double clip = recorded.get("clip").asDouble(0);
            int accumulate = recorded.get("accumulate").asInt();
            List<List<TrainingSequence>> batches = batches(data, 20 * accumulate);
            for (JsonNode step : recorded.get("cases")) {
                int number = step.get("step").asInt();
                List<MicroBatch> micro = new ArrayList<>();
                for (int i = 0; i < accumulate; i++) {
                    micro.add(MicroBatch.of(batches.get((number - 1) * accumulate + i)));
                }
                int targets = micro.stream().mapToInt(b -> b.targets().length).sum();
                assertThat(targets).isEqualTo(step.get("target_tokens").asInt());
                parameters.clearGradients();
                double loss = 0;
                for (MicroBatch batch : micro) {
                    double divisor = microMean ? batch.targets().length * accumulate : targets;
                    loss += training.decoder().lossAndGradients(batch, 0, (float) (1 / divisor), 0) / divisor;
                }
                double norm = parameters.gradientNorm();
                double rate = LearningRate.of(
                        schedule,
                        recorded.get("lr").asDouble(),
                        recorded.get("warmup_steps").asInt(),
                        20,
                        number);
                assertThat(loss)
                        .as("loss of step %d", number)
                        .isCloseTo(step.get("loss").asDouble(), withPercentage(1e-3));
                assertThat(norm)
                        .as("gradient norm of step %d", number)
                        .isCloseTo(step.get("grad_norm").asDouble(), withPercentage(1e-2));
                assertThat(rate).isCloseTo(step.get("lr").asDouble(), withPercentage(1e-7));
                double factor = clip > 0 ? Math.min(1, clip / (norm + 1e-6)) : 1;
                optimizer.step(parameters.values(), parameters.gradients(), factor, number, rate);
            }
            optimizer.close();
            try (Arena arena = Arena.ofConfined()) {
                parameters.pairs(parameters.values(), arena).forEach((module, pair) -> {
                    near(module, pair.a(), floats(data, "final.base_model.model." + module + ".lora_A.weight"));
                    near(module, pair.b(), floats(data, "final.base_model.model." + module + ".lora_B.weight"));
                });
            }
        }
    }

    private static void near(String module, Tensor actual, float[] expected) {
        float[] values = Golden.floats(actual);
        for (int i = 0; i < expected.length; i++) {
            assertThat(values[i]).as("%s, element %d", module, i).isCloseTo(expected[i], offset(1e-5f));
        }
    }

    private static List<List<TrainingSequence>> batches(SafetensorsFile data, int count) {
        int[] ids = TrainingGolden.ints(data, "input_ids");
        int[] mask = TrainingGolden.ints(data, "attention_mask");
        int[] labels = TrainingGolden.ints(data, "labels");
        int size = ids.length / count;
        List<List<TrainingSequence>> batches = new ArrayList<>();
        for (int from = 0; from < ids.length; from += size) {
            batches.add(TrainingGolden.sequences(
                    Arrays.copyOfRange(ids, from, from + size),
                    Arrays.copyOfRange(mask, from, from + size),
                    Arrays.copyOfRange(labels, from, from + size),
                    24));
        }
        return batches;
    }
}
