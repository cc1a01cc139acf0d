package dev.tsumugi.engine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import dev.tsumugi.engine.Golden;
import dev.tsumugi.engine.files.SafetensorsFile;
import dev.tsumugi.engine.files.SafetensorsModelFiles;
import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.tensor.DType;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Forward passes against what transformers computed in fp32; a backend's test extends this. Tolerance: noise is 2e-5, the smallest mistake in the recorded sensitivities is
 * 9e-4.
 */
public abstract class GoldenModelContract {
    private static final float TOLERANCE = 2e-4f;
    private static final int BLOCK_TOKENS = 5;

    /** The backend under test. */
    protected abstract Backend open();

    static Stream<String> models() {
        return Stream.of(
                "tiny-llama",
                "tiny-llama3-rope",
                "tiny-qwen2",
                "tiny-qwen3",
                "tiny-mistral",
                "tiny-gptneox",
                "tiny-gptneox-sequential");
    }

    @ParameterizedTest
    @MethodSource("models")
    void logitsAndHiddenStatesAreThoseRecorded(String name) {
        with(name, (backend, model, expected) -> {
            int[][] ids = ids(expected, "input_ids", 2);
            Map<String, float[]> hidden = new HashMap<>();
            model.probe = (point, layer, values, rows, width) -> {
                float[] copy = new float[rows * width];
                backend.download(values, copy, copy.length);
                hidden.put(
                        switch (point) {
                            case EMBEDDING -> "hidden.embed";
                            case FINAL_NORM -> "hidden.final_norm";
                            case ATTENTION_OUT -> "hidden.layer" + layer + ".attn_out";
                            case MLP_OUT -> "hidden.layer" + layer + ".mlp_out";
                            case LAYER_OUT -> "hidden.layer" + layer;
                        },
                        copy);
            };
            try (Conversation conversation = new Conversation(model, 2, 17, BLOCK_TOKENS)) {
                float[][] logits = conversation.feed(ids, 0, 17);
                hidden.forEach((what, values) -> assertClose(what, values, floats(expected, what)));
                assertClose("logits", concatenated(logits), floats(expected, "logits"));
                assertThat(hidden).hasSize(8);
            }
        });
    }

    @ParameterizedTest
    @MethodSource("models")
    void tokensFedOneByOneGiveTheSameLogits(String name) {
        with(name, (backend, model, expected) -> {
            int[][] ids = ids(expected, "input_ids", 2);
            try (Conversation conversation = new Conversation(model, 2, 17, BLOCK_TOKENS)) {
                conversation.feed(ids, 0, 9);
                float[] recorded = floats(expected, "incremental.logits");
                int vocabulary = model.config().vocabularySize();
                for (int i = 0; i < 8; i++) {
                    float[][] logits = conversation.feed(ids, 9 + i, 1);
                    for (int s = 0; s < 2; s++) {
                        int from = (s * 8 + i) * vocabulary;
                        assertClose(
                                "step " + i + " of " + s,
                                logits[s],
                                Arrays.copyOfRange(recorded, from, from + vocabulary));
                    }
                }
            }
        });
    }

    @ParameterizedTest
    @MethodSource("models")
    void longInputsMatchWhereScalingAndWindowTell(String name) {
        with(name, (backend, model, expected) -> {
            int[][] ids = ids(expected, "long.input_ids", 1);
            int length = ids[0].length;
            try (Conversation conversation = new Conversation(model, 1, length, BLOCK_TOKENS)) {
                assertClose(
                        "long.logits",
                        concatenated(conversation.feed(ids, 0, length)),
                        floats(expected, "long.logits"));
            }
        });
    }

    @ParameterizedTest
    @MethodSource("models")
    void greedyContinuationsAreThoseRecorded(String name) {
        with(name, (backend, model, expected) -> {
            int[][] ids = ids(expected, "input_ids", 2);
            int[][] recorded = ids(expected, "greedy.ids", 2);
            try (Conversation conversation = new Conversation(model, 2, 40, BLOCK_TOKENS)) {
                float[][] all = conversation.feed(ids, 0, 17);
                float[][] last = {all[16], all[33]};
                for (int i = 0; ; i++) {
                    int[][] next = {{Conversation.argmax(last[0])}, {Conversation.argmax(last[1])}};
                    assertThat(next[0][0]).as("token " + i).isEqualTo(recorded[0][i]);
                    assertThat(next[1][0]).as("token " + i).isEqualTo(recorded[1][i]);
                    if (i == 19) {
                        break;
                    }
                    last = conversation.feed(next, 0, 1);
                }
                assertClose("greedy.last_logits", concatenated(last), floats(expected, "greedy.last_logits"));
            }
        });
    }

    private interface Check {
        void run(Backend backend, CausalModel model, SafetensorsFile expected);
    }

    private void with(String name, Check check) {
        try (Backend backend = open();
                CausalModel model = (CausalModel)
                        LanguageModels.load(SafetensorsModelFiles.open(folder(name)), backend, DType.F32);
                SafetensorsFile expected = SafetensorsFile.open(Golden.path(name + "/expected.safetensors"))) {
            check.run(backend, model, expected);
        }
    }

    private static Path folder(String name) {
        return Golden.path(name + "/config.json").getParent();
    }

    private static float[] floats(SafetensorsFile file, String name) {
        return Golden.floats(file.tensor(name).orElseThrow());
    }

    private static int[][] ids(SafetensorsFile file, String name, int rows) {
        int[] all = Golden.ids(file.tensor(name).orElseThrow());
        int length = all.length / rows;
        int[][] ids = new int[rows][];
        for (int r = 0; r < rows; r++) {
            ids[r] = Arrays.copyOfRange(all, r * length, (r + 1) * length);
        }
        return ids;
    }

    private static float[] concatenated(float[][] rows) {
        float[] all = new float[rows.length * rows[0].length];
        for (int r = 0; r < rows.length; r++) {
            System.arraycopy(rows[r], 0, all, r * rows[0].length, rows[0].length);
        }
        return all;
    }

    private static void assertClose(String what, float[] actual, float[] expected) {
        assertThat(actual.length).as(what).isEqualTo(expected.length);
        int worst = 0;
        for (int i = 0; i < actual.length; i++) {
            // Not (a <= b): NaN must fail too.
            if (!(Math.abs(actual[i] - expected[i]) <= Math.abs(actual[worst] - expected[worst]))) {
                worst = i;
            }
        }
        assertThat(actual[worst]).as(what + " at " + worst).isCloseTo(expected[worst], offset(TOLERANCE));
    }
}
