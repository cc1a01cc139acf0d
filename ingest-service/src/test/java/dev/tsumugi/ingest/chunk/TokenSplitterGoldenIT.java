package dev.tsumugi.ingest.chunk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tsumugi.embedded.downloads.Downloads;
import dev.tsumugi.engine.files.GgufFile;
import dev.tsumugi.engine.tokenizer.GgufVocabulary;
import dev.tsumugi.engine.tokenizer.Tokenizer;
import dev.tsumugi.ingest.chunk.SeparatorSplitter.Keep;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;

/** LangChain's splitters by tokens of the default language model, recorded: windows of ids, and recursion by number of ids. */
class TokenSplitterGoldenIT {
    private static final JsonNode TEXTS =
            SeparatorSplitterGoldenTests.read("characters.json").get("texts");

    private static Tokenizer tokenizer;

    @BeforeAll
    static void readVocabulary() {
        try (GgufFile file = GgufFile.open(Downloads.inDefaultCache().languageModel())) {
            tokenizer = GgufVocabulary.read(file.metadata().asMap());
        }
    }

    record Case(String text, int size, int overlap, JsonNode row) {
        @Override
        public String toString() {
            return text + " " + size + "/" + overlap;
        }
    }

    static Stream<Case> cases() {
        return SeparatorSplitterGoldenTests.read("tokens.json")
                .get("cases")
                .valueStream()
                .map(row -> new Case(
                        row.get("text").asString(),
                        row.get("size").asInt(),
                        row.get("overlap").asInt(),
                        row));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void windows_of_tokens_are_those_of_langchain(Case example) {
        int[] ids = tokenizer.encodePlain(TEXTS.get(example.text()).asString());
        assertThat(ids).hasSize(example.row().get("tokens").asInt());

        List<String> windows = new TokenWindows(example.size(), example.overlap())
                .windows(ids.length).stream()
                        .map(window -> tokenizer.decode(Arrays.copyOfRange(ids, window.from(), window.to()), false))
                        .toList();

        assertThat(windows)
                .isEqualTo(SeparatorSplitterGoldenTests.strings(example.row().get("token_windows")));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void recursion_by_number_of_tokens_is_that_of_langchain(Case example) {
        SeparatorSplitter splitter = new SeparatorSplitter(
                example.size(),
                example.overlap(),
                List.of("\n\n", "\n", " ", ""),
                Keep.AT_START,
                true,
                text -> tokenizer.encodePlain(text).length);

        assertThat(splitter.split(TEXTS.get(example.text()).asString()))
                .isEqualTo(SeparatorSplitterGoldenTests.strings(example.row().get("recursive_by_token_length")));
    }
}
