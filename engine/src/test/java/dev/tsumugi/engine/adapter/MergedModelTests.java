package dev.tsumugi.engine.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.sample.TokenLogprobs;
import dev.tsumugi.engine.serve.Engine;
import dev.tsumugi.engine.serve.GenerationRequest;
import dev.tsumugi.engine.serve.GenerationResult;
import dev.tsumugi.engine.serve.LoadedModel;
import dev.tsumugi.engine.serve.ModelOptions;
import dev.tsumugi.engine.tokenizer.GoldenFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MergedModelTests {
    private static final Path BASE = GoldenFiles.path("tiny-llama");

    @TempDir
    Path work;

    private static GenerationResult answer(Path path, Path adapter) {
        ModelOptions options = ModelOptions.defaults().withBackend("vector").withPrecision(Precision.EXACT);
        try (LoadedModel model = LoadedModel.open(path, options);
                Engine engine = model.startEngine(1 << 22)) {
            String digest = adapter == null
                    ? null
                    : engine.adapters().load(adapter, null).digest();
            int[] prompt = new Random(3).ints(30, 3, 320).toArray();
            return engine.submit(GenerationRequest.of(prompt, 24)
                            .withIgnoreEnd(true)
                            .withLogprobs(0)
                            .withAdapter(digest))
                    .result()
                    .join();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora/llama-r8", "lora/llama-r4-rslora"})
    void a_merged_model_answers_as_the_model_does_with_the_adapter(String name) throws IOException {
        Path folder = GoldenFiles.path(name);
        Path merged = work.resolve("merged");
        try (PeftAdapter adapter = PeftAdapter.open(folder)) {
            MergedModel.write(BASE, adapter, merged);
        }
        GenerationResult with = answer(BASE, folder);
        GenerationResult alone = answer(merged, null);
        assertThat(alone.tokens())
                .isEqualTo(with.tokens())
                .isNotEqualTo(answer(BASE, null).tokens());
        List<TokenLogprobs> expected = with.logprobs();
        for (int i = 0; i < expected.size(); i++) {
            assertThat(alone.logprobs().get(i).chosen().logprob())
                    .isCloseTo(expected.get(i).chosen().logprob(), Offset.offset(2e-4));
        }
        try (Stream<Path> files = Files.list(merged)) {
            assertThat(files.map(file -> file.getFileName().toString()))
                    .contains("config.json", "tokenizer.json", "model.safetensors")
                    .doesNotContain("pytorch_model.bin");
        }
    }

    /** An adapter of the head alone. */
    private Path head(LoadedModel model) throws IOException {
        Path folder = work.resolve("head");
        PeftWriter.write(
                folder,
                new PeftWriter.Settings("tiny-llama", 4, 8, false),
                RandomAdapters.pairs(model.model().adaptableModules(), List.of("lm_head"), 4, 2, 7));
        return folder;
    }

    @Test
    void a_head_that_shares_the_embeddings_is_merged_into_one_of_its_own() throws IOException {
        assertThat(Files.readString(BASE.resolve("config.json"))).contains("\"tie_word_embeddings\": true");
        Path folder;
        try (LoadedModel model = LoadedModel.open(BASE, ModelOptions.defaults().withBackend("vector"))) {
            folder = head(model);
        }
        Path merged = work.resolve("merged");
        try (PeftAdapter adapter = PeftAdapter.open(folder)) {
            MergedModel.write(BASE, adapter, merged);
        }
        assertThat(answer(merged, null).tokens())
                .isEqualTo(answer(BASE, folder).tokens())
                .isNotEqualTo(answer(BASE, null).tokens());
        assertThat(Files.readString(merged.resolve("config.json"))).contains("\"tie_word_embeddings\" : false");
    }

    @Test
    void what_is_there_is_never_written_over_and_what_does_not_fit_is_refused() throws IOException {
        Files.writeString(work.resolve("mine"), "mine");
        try (PeftAdapter adapter = PeftAdapter.open(GoldenFiles.path("lora/llama-r8"))) {
            assertThatThrownBy(() -> MergedModel.write(BASE, adapter, work)).hasMessageContaining("is there already");
        }
        try (PeftAdapter adapter = PeftAdapter.open(GoldenFiles.path("lora/gptneox-r8"))) {
            assertThatThrownBy(() -> MergedModel.write(BASE, adapter, work.resolve("new")))
                    .hasMessageContaining("query_key_value");
        }
        try (PeftAdapter adapter = PeftAdapter.open(GoldenFiles.path("lora/llama-r8"))) {
            assertThatThrownBy(() -> MergedModel.write(work.resolve("mine"), adapter, work.resolve("new")))
                    .hasMessageContaining("GGUF");
        }
        assertThat(work.resolve("new")).doesNotExist();
    }
}
