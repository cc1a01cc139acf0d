package dev.tsumugi.engine.onednn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.tsumugi.engine.files.ModelStore;
import dev.tsumugi.engine.files.SafetensorsFile;
import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.model.Batch;
import dev.tsumugi.engine.model.KvCache;
import dev.tsumugi.engine.model.LanguageModel;
import dev.tsumugi.engine.model.LanguageModels;
import dev.tsumugi.engine.tensor.DType;
import java.lang.foreign.ValueLayout;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Objects;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole models: in fp32 the recorded logits, in bfloat16 the recorded choice of the next token wherever its margin is no rounding error. */
class OneDnnModelTests {
    /** Rounding both factors to bfloat16 moves the logits of these models, which reach 17, by up to 0.25; 0.04 in the mean of squares. */
    private static final float LARGEST_ERROR = 0.35f;

    private static final double MEAN_ERROR = 0.06;

    @BeforeAll
    static void onlyWhereThereIsOneDnn() {
        var availability = new OneDnnBackend.Provider().availability();
        assumeThat(availability.available()).as(availability.reason()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"tiny-llama", "tiny-llama3-rope", "tiny-qwen2", "tiny-qwen3", "tiny-mistral", "tiny-gptneox"})
    void exact_logits_are_those_recorded(String name) {
        float[] expected = floats(name, "long.logits");
        float[] actual = logits(name, Precision.EXACT);

        for (int i = 0; i < expected.length; i++) {
            assertThat(actual[i]).as("element %d", i).isCloseTo(expected[i], within(2e-4f));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"tiny-llama", "tiny-llama3-rope", "tiny-qwen2", "tiny-qwen3", "tiny-mistral", "tiny-gptneox"})
    void fast_logits_choose_the_recorded_tokens(String name) {
        float[] expected = floats(name, "long.logits");
        float[] actual = logits(name, Precision.FAST);
        int vocabulary = 320;
        int compared = 0;
        double squares = 0;
        for (int row = 0; row < expected.length / vocabulary; row++) {
            int best = argmax(expected, row * vocabulary, vocabulary);
            for (int at = row * vocabulary; at < (row + 1) * vocabulary; at++) {
                assertThat(actual[at]).as("element %d", at).isCloseTo(expected[at], within(LARGEST_ERROR));
                squares += Math.pow(actual[at] - expected[at], 2);
            }
            if (margin(expected, row * vocabulary, vocabulary, best) > 2 * LARGEST_ERROR) {
                assertThat(argmax(actual, row * vocabulary, vocabulary))
                        .as("row %d", row)
                        .isEqualTo(best);
                compared++;
            }
        }
        assertThat(Math.sqrt(squares / expected.length)).isLessThan(MEAN_ERROR);
        assertThat(compared).as("rows with a clear choice").isPositive();
    }

    private static float[] logits(String name, Precision precision) {
        try (Backend backend = new OneDnnBackend(2, precision);
                LanguageModel model = LanguageModels.load(ModelStore.openPath(golden(name)), backend, DType.F32);
                KvCache cache = model.newCache(3, 16);
                SafetensorsFile expected = SafetensorsFile.open(golden(name).resolve("expected.safetensors"))) {
            long[] ids =
                    expected.tensor("long.input_ids").orElseThrow().segment().toArray(ValueLayout.JAVA_LONG_UNALIGNED);
            int count = ids.length;
            int[] tokens = new int[count];
            int[] positions = new int[count];
            for (int i = 0; i < count; i++) {
                tokens[i] = (int) ids[i];
                positions[i] = i;
            }
            float[] logits = new float[count * model.config().vocabularySize()];
            model.forward(
                    new Batch(tokens, positions, new int[count], new int[][] {{2, 0, 1}}, positions), cache, logits);
            return logits;
        }
    }

    private static float[] floats(String name, String tensor) {
        try (SafetensorsFile file = SafetensorsFile.open(golden(name).resolve("expected.safetensors"))) {
            return file.tensor(tensor).orElseThrow().segment().toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
        }
    }

    private static Path golden(String name) {
        try {
            return Path.of(Objects.requireNonNull(
                                    OneDnnModelTests.class.getResource("/golden/" + name + "/config.json"))
                            .toURI())
                    .getParent();
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    private static int argmax(float[] values, int from, int count) {
        int best = 0;
        for (int i = 1; i < count; i++) {
            if (values[from + i] > values[from + best]) {
                best = i;
            }
        }
        return best;
    }

    private static float margin(float[] values, int from, int count, int best) {
        float second = Float.NEGATIVE_INFINITY;
        for (int i = 0; i < count; i++) {
            if (i != best) {
                second = Math.max(second, values[from + i]);
            }
        }
        return values[from + best] - second;
    }
}
