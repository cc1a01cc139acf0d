package dev.tsumugi.engine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.tsumugi.engine.Golden;
import dev.tsumugi.engine.files.GgufModelFiles;
import dev.tsumugi.engine.files.SafetensorsFile;
import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.tensor.DType;
import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Models in GGUF files, whose rope turns neighbours and whose weights are of every 32-element block type; a backend's test extends this. */
public abstract class GoldenGgufContract {
    private static final float TOLERANCE = 2e-4f;

    /** The backend under test. */
    protected abstract Backend open();

    @ParameterizedTest
    @ValueSource(strings = {"tiny-llama", "tiny-llama-mixed"})
    void logitsAndContinuationAreThoseRecorded(String name) {
        try (Backend backend = open();
                LanguageModel model = LanguageModels.load(
                        GgufModelFiles.open(Golden.path("gguf/" + name + ".gguf")), backend, DType.F32);
                SafetensorsFile expected =
                        SafetensorsFile.open(Golden.path("gguf/" + name + "-expected.safetensors"))) {
            int[] ids = Golden.ids(expected.tensor("input_ids").orElseThrow());
            int[][] rows = {Arrays.copyOf(ids, 17), Arrays.copyOfRange(ids, 17, 34)};
            float[] recorded = Golden.floats(expected.tensor("logits").orElseThrow());
            try (Conversation conversation = new Conversation(model, 2, 17, 16)) {
                float[][] logits = conversation.feed(rows, 0, 17);
                for (int t = 0; t < 34; t++) {
                    for (int v = 0; v < 320; v++) {
                        assertThat(logits[t][v]).isCloseTo(recorded[t * 320 + v], within(TOLERANCE));
                    }
                }
            }
            int[] prompt = Golden.ids(expected.tensor("prompt_ids").orElseThrow());
            int[] greedy = Golden.ids(expected.tensor("greedy_ids").orElseThrow());
            try (Conversation conversation = new Conversation(model, 1, prompt.length + greedy.length, 16)) {
                float[][] all = conversation.feed(new int[][] {prompt}, 0, prompt.length);
                float[] last = all[all.length - 1];
                for (int i = 0; i < greedy.length; i++) {
                    assertThat(Conversation.argmax(last)).as("token " + i).isEqualTo(greedy[i]);
                    last = conversation.feed(new int[][] {{greedy[i]}}, 0, 1)[0];
                }
            }
        }
    }
}
