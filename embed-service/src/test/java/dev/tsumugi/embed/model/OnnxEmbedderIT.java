package dev.tsumugi.embed.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tsumugi.contracts.api.EmbedRequest.Kind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OnnxEmbedderIT {
    @TempDir
    static Path cache;

    static OnnxEmbedder embedder;

    @BeforeAll
    static void load() {
        embedder = new OnnxEmbedder(ModelFiles.bundled(cache), cache.resolve("native"), 2);
    }

    @AfterAll
    static void close() {
        embedder.close();
    }

    @Test
    void a_paraphrase_is_nearer_than_an_unrelated_text() {
        float[] text = passage("The cat sleeps on the sofa.");
        float[] paraphrase = passage("A cat is asleep on the couch.");
        float[] unrelated = passage("Interest rates were raised by the central bank in March.");
        assertThat(cosine(text, paraphrase)).isGreaterThan(cosine(text, unrelated) + 0.1);
    }

    @Test
    void a_question_is_nearest_to_the_passage_that_answers_it() {
        float[] question =
                embed(Kind.QUERY, List.of("How do I reset my password?")).getFirst();
        List<float[]> passages = embed(
                Kind.PASSAGE,
                List.of(
                        "The cafeteria is open from eleven to two.",
                        "To choose a new password, open the account page and press 'forgotten'.",
                        "Travel expenses are paid at the end of the month."));
        assertThat(passages).extracting(passage -> cosine(question, passage)).satisfies(similarities -> {
            assertThat(similarities.get(1)).isGreaterThan(similarities.get(0));
            assertThat(similarities.get(1)).isGreaterThan(similarities.get(2));
        });
    }

    @Test
    void one_core_gives_the_vectors_that_all_cores_give() {
        List<TokenizedText> batch =
                embedder.tokenize(Kind.PASSAGE, List.of("A first text.", "Another text, which is longer."));
        List<float[]> all = embedder.embed(batch);
        List<float[]> one = embedder.embedOnOneCore(batch);
        for (int i = 0; i < batch.size(); i++) {
            assertThat(one.get(i)).containsExactly(all.get(i), Offset.offset(1e-5f));
        }
    }

    @Test
    void vectors_have_the_dimension_of_the_index_and_unit_length() {
        float[] vector = passage("one");
        assertThat(vector).hasSize(OnnxEmbedder.DIMENSION);
        assertThat(cosine(vector, vector)).isCloseTo(1, Offset.offset(1e-5));
    }

    @Test
    void a_text_in_a_batch_of_other_lengths_has_the_vector_it_has_alone() {
        List<String> texts = List.of(
                "short",
                "A sentence of a few words.",
                "word ".repeat(200),
                "\u65e5\u672c\u8a9e\u306e\u6587\u7ae0\u3067\u3059\u3002");
        List<float[]> together = embed(Kind.PASSAGE, texts);
        for (int i = 0; i < texts.size(); i++) {
            float[] alone = passage(texts.get(i));
            assertThat(together.get(i)).as(texts.get(i)).containsExactly(alone, Offset.offset(1e-5f));
        }
    }

    @Test
    void questions_and_passages_have_different_prefixes() {
        float[] asQuery = embed(Kind.QUERY, List.of("annual leave")).getFirst();
        assertThat(cosine(asQuery, passage("annual leave"))).isLessThan(0.999);
        assertThat(embedder.tokenize(Kind.QUERY, List.of("x")).getFirst().ids())
                .as("[CLS] query : x [SEP]")
                .containsExactly(101, 23032, 1024, 1060, 102);
    }

    @Test
    void what_exceeds_the_model_is_cut_and_said_to_be() {
        List<TokenizedText> tokenized = embedder.tokenize(
                Kind.PASSAGE, List.of("fits", "word ".repeat(10_000), "x".repeat(5_000_000), "\u00e9".repeat(100_000)));
        assertThat(tokenized).extracting(TokenizedText::truncated).containsExactly(false, true, true, true);
        assertThat(tokenized).allSatisfy(text -> assertThat(text.length()).isBetween(3, 512));
        assertThat(tokenized.get(1).length()).isEqualTo(512);
        assertThat(embedder.embed(tokenized)).hasSize(4);
    }

    @Test
    void hostile_characters_are_embedded_like_any_other() {
        List<String> texts = List.of(
                "", " ", "\0", "a\0b", "\uD83D", "\uDE00 x", "\uD83D\uDE00", "[PAD] [MASK] </s>", "\uFFFF\u202E");
        assertThat(embed(Kind.PASSAGE, texts)).hasSize(texts.size());
    }

    @Test
    void a_second_load_uses_the_unpacked_files_and_gives_the_same_generation() throws IOException {
        ModelFiles files = ModelFiles.bundled(cache);
        var unpackedAt = Files.getLastModifiedTime(files.onnx());
        try (OnnxEmbedder second = new OnnxEmbedder(ModelFiles.bundled(cache), cache.resolve("native"), 1)) {
            assertThat(second.indexGeneration())
                    .isEqualTo(embedder.indexGeneration())
                    .hasSize(12);
        }
        assertThat(Files.getLastModifiedTime(files.onnx())).isEqualTo(unpackedAt);
    }

    @Test
    void native_libraries_lie_in_the_cache_and_not_in_the_temporary_folder() {
        assertThat(Path.of(System.getProperty("onnxruntime.native.path")))
                .isDirectoryContaining(file -> file.getFileName().toString().contains("onnxruntime4j_jni"));
        assertThat(System.getProperty("DJL_CACHE_DIR")).isNotEmpty();
    }

    @Test
    void a_damaged_unpacked_file_is_unpacked_again() throws IOException {
        ModelFiles files = ModelFiles.bundled(cache);
        long size = Files.size(files.tokenizer());
        Files.writeString(files.tokenizer(), "{");
        assertThat(Files.size(ModelFiles.bundled(cache).tokenizer())).isEqualTo(size);
    }

    @Test
    void a_folder_that_is_no_model_is_refused_with_what_to_do(@TempDir Path folder) throws IOException {
        assertThatThrownBy(() -> ModelFiles.of(folder.resolve("missing")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("does not exist")
                .hasMessageContaining("TSUMUGI_EMBEDDING_MODEL");
        assertThatThrownBy(() -> ModelFiles.of(folder)).hasMessageContaining("has no tokenizer.json");
        Files.copy(ModelFiles.bundled(cache).tokenizer(), folder.resolve("tokenizer.json"));
        assertThatThrownBy(() -> ModelFiles.of(folder)).hasMessageContaining("has 0 .onnx files");
        Files.write(folder.resolve("model.onnx"), new byte[] {1, 2, 3});
        assertThatThrownBy(() -> new OnnxEmbedder(ModelFiles.of(folder), cache.resolve("native"), 1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("cannot load embedding model");
    }

    private static float[] passage(String text) {
        return embed(Kind.PASSAGE, List.of(text)).getFirst();
    }

    private static List<float[]> embed(Kind kind, List<String> texts) {
        return new ArrayList<>(embedder.embed(embedder.tokenize(kind, texts)));
    }

    private static double cosine(float[] a, float[] b) {
        double sum = 0;
        for (int d = 0; d < a.length; d++) {
            sum += (double) a[d] * b[d];
        }
        return sum;
    }
}
