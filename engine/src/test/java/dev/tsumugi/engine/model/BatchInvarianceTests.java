package dev.tsumugi.engine.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tsumugi.engine.Golden;
import dev.tsumugi.engine.files.GgufModelFiles;
import dev.tsumugi.engine.files.SafetensorsModelFiles;
import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.kernels.VectorBackend;
import dev.tsumugi.engine.tensor.DType;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** With exact activations the same token gets the same bits, whatever shares its pass. */
class BatchInvarianceTests {
    private static final int LENGTH = 60;

    @ParameterizedTest
    @CsvSource({
        "tiny-llama/config.json,F32",
        "tiny-mistral/config.json,BF16",
        "tiny-gptneox/config.json,F32",
        "gguf/tiny-llama-mixed.gguf,BF16"
    })
    void wholeChunkedAndBatchedPassesGiveTheSameBits(String path, DType cacheStorage) {
        int[][] ids = new int[2][LENGTH];
        Random random = new Random(3);
        for (int[] sequence : ids) {
            for (int i = 0; i < LENGTH; i++) {
                sequence[i] = random.nextInt(320);
            }
        }
        try (Backend backend = new VectorBackend(2, Precision.EXACT);
                LanguageModel model = LanguageModels.load(open(path), backend, cacheStorage)) {
            float[][] whole;
            try (Conversation conversation = new Conversation(model, 2, LENGTH, 16)) {
                whole = conversation.feed(ids, 0, LENGTH);
            }
            for (int s = 0; s < 2; s++) {
                int[][] alone = {ids[s]};
                try (Conversation conversation = new Conversation(model, 1, LENGTH, 16)) {
                    for (int from = 0, chunk = 1; from < LENGTH; from += chunk, chunk = from % 5 * 4 + 1) {
                        int count = Math.min(chunk, LENGTH - from);
                        float[][] logits = conversation.feed(alone, from, count);
                        for (int i = 0; i < count; i++) {
                            assertThat(logits[i])
                                    .as("sequence " + s + " token " + (from + i))
                                    .containsExactly(whole[s * LENGTH + from + i]);
                        }
                        chunk = count;
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"gguf/tiny-llama-mixed.gguf", "tiny-llama/config.json"})
    void roundedActivationsGiveTheSameBitsAloneAndInSmallPasses(String path) {
        int[][] ids = {new Random(4).ints(LENGTH, 0, 320).toArray()};
        try (Backend backend = new VectorBackend(2, Precision.FAST);
                LanguageModel model = LanguageModels.load(open(path), backend, DType.F32);
                Conversation one = new Conversation(model, 1, LENGTH, 16);
                Conversation few = new Conversation(model, 1, LENGTH, 16)) {
            assertThat(model.alikeRows()).isGreaterThan(1);
            for (int from = 0, chunk = 1; from < LENGTH; from += chunk, chunk = from % model.alikeRows() + 1) {
                chunk = Math.min(chunk, LENGTH - from);
                float[][] together = few.feed(ids, from, chunk);
                for (int i = 0; i < chunk; i++) {
                    assertThat(together[i]).as("token " + (from + i)).containsExactly(one.feed(ids, from + i, 1)[0]);
                }
            }
        }
    }

    private static ModelFiles open(String path) {
        return path.endsWith(".gguf")
                ? GgufModelFiles.open(Golden.path(path))
                : SafetensorsModelFiles.open(Golden.path(path).getParent());
    }
}
