package dev.tsumugi.engine.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tsumugi.engine.files.GgufFile;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

class GgufVocabularyTests {

    private static Map<String, Object> metadata(Path path) {
        try (GgufFile file = GgufFile.open(path)) {
            return new HashMap<>(file.metadata().asMap());
        }
    }

    @Test
    void a_sentencepiece_vocabulary_with_scores_gives_the_ids_of_its_tokenizer_json() {
        Tokenizer tokenizer = GgufVocabulary.read(metadata(GoldenFiles.path("tokenizer/llama2-style/vocabulary.gguf")));
        TokenizerCases.holds(tokenizer, GoldenFiles.cases("tokenizer/llama2-style/cases.json"));
        for (JsonNode text :
                GoldenFiles.json("tokenizer/llama2-style/cases.json").path("with_special")) {
            assertThat(tokenizer.encodeWithMarkers(text.path("text").asString()))
                    .isEqualTo(GoldenFiles.ints(text.path("ids")));
        }
    }

    @Test
    void a_byte_level_vocabulary_gives_the_ids_of_its_tokenizer_json() {
        for (String file : List.of("tiny-llama.gguf", "tiny-llama-mixed.gguf")) {
            Tokenizer tokenizer = GgufVocabulary.read(metadata(GoldenFiles.path("gguf/" + file)));
            TokenizerCases.holds(tokenizer, GoldenFiles.cases("tokenizer/tiny-llama-cases.json"));
        }
    }

    @Test
    void what_contradicts_itself_or_is_unknown_is_named() {
        Map<String, Object> metadata = metadata(GoldenFiles.path("gguf/tiny-llama.gguf"));
        assertThatThrownBy(() -> GgufVocabulary.read(Map.of())).hasMessageContaining("tokens is missing");
        refuses(metadata, "tokenizer.ggml.model", "bert", "\"bert\" is not supported");
        refuses(metadata, "tokenizer.ggml.pre", "unheard-of", "\"unheard-of\" is not supported");
        refuses(metadata, "tokenizer.ggml.token_type", new long[3], "3 entries for 320 tokens");
        refuses(metadata, "tokenizer.ggml.merges", List.of("onlyone"), "no merge of two tokens");
        refuses(metadata, "tokenizer.ggml.merges", List.of("q zzz"), "not in the vocabulary");
    }

    private static void refuses(Map<String, Object> sound, String key, Object value, String message) {
        Map<String, Object> broken = new HashMap<>(sound);
        broken.put(key, value);
        assertThatThrownBy(() -> GgufVocabulary.read(broken))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(message);
    }
}
