package dev.tsumugi.ingest.chunk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tsumugi.ingest.chunk.SeparatorSplitter.Keep;
import dev.tsumugi.ingest.parse.DocumentBlock;
import dev.tsumugi.ingest.parse.ParsedDocument;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Chunks and offsets that LangChain's splitters gave, recorded: 9 settings over 8 texts. */
class SeparatorSplitterGoldenTests {
    private static final JsonNode GOLDEN = read("characters.json");

    static JsonNode read(String name) {
        try (InputStream in = SeparatorSplitterGoldenTests.class.getResourceAsStream("/golden/splitter/" + name)) {
            return JsonMapper.shared().readTree(in);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    record Case(String splitter, String text, JsonNode row) {
        @Override
        public String toString() {
            return splitter + " | " + text;
        }
    }

    static Stream<Case> cases() {
        return GOLDEN.get("cases")
                .valueStream()
                .map(row ->
                        new Case(row.get("splitter").asString(), row.get("text").asString(), row));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void chunks_are_those_of_langchain(Case example) {
        String text = GOLDEN.get("texts").get(example.text()).asString();

        List<String> chunks = splitter(example.row()).split(text);

        assertThat(chunks).isEqualTo(strings(example.row().get("chunks")));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void chunks_are_found_where_langchain_finds_them(Case example) {
        String text = GOLDEN.get("texts").get(example.text()).asString();
        ParsedDocument document = new ParsedDocument(text, null, "text/plain", List.<DocumentBlock>of());

        List<TextChunk> chunks = new SeparatorChunker(splitter(example.row())).chunk(document);

        JsonNode expected = example.row().get("start");
        assertThat(chunks).hasSize(expected.size());
        for (int i = 0; i < chunks.size(); i++) {
            // LangChain says -1 of a chunk in which a doubled separator was dropped; here it has a place, too.
            if (expected.get(i).asInt() >= 0) {
                assertThat(text.codePointCount(0, chunks.get(i).start()))
                        .isEqualTo(expected.get(i).asInt());
            }
        }
        assertThat(chunks).allMatch(chunk -> chunk.text().equals(text.substring(chunk.start(), chunk.end())));
    }

    static List<String> strings(JsonNode array) {
        List<String> strings = new ArrayList<>();
        array.forEach(element -> strings.add(element.asString()));
        return strings;
    }

    private static SeparatorSplitter splitter(JsonNode row) {
        JsonNode options = row.get("options");
        boolean recursive = row.get("class").asString().equals("RecursiveCharacterTextSplitter");
        List<String> separators = options.has("separators")
                ? strings(options.get("separators"))
                : options.has("separator")
                        ? List.of(options.get("separator").asString())
                        : List.of("\n\n", "\n", " ", "");
        Keep keep = options.has("keep_separator") ? Keep.AT_END : recursive ? Keep.AT_START : Keep.NOT;
        return new SeparatorSplitter(
                options.get("chunk_size").asInt(),
                options.get("chunk_overlap").asInt(),
                separators,
                keep,
                recursive,
                SeparatorSplitter::codePoints);
    }
}
