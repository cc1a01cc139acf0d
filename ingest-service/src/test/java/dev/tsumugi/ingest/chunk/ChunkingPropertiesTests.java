package dev.tsumugi.ingest.chunk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tsumugi.ingest.chunk.ChunkingProperties.Splitter;
import dev.tsumugi.ingest.chunk.ChunkingProperties.Unit;
import dev.tsumugi.ingest.parse.DocumentBlock;
import dev.tsumugi.ingest.parse.ParsedDocument;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.MapConfigurationPropertySource;

class ChunkingPropertiesTests {
    private static ChunkingProperties bind(Map<String, String> properties) {
        return new Binder(new MapConfigurationPropertySource(properties))
                .bindOrCreate("tsumugi.ingest.chunking", ChunkingProperties.class);
    }

    @Test
    void defaults_follow_the_structure_within_the_limit_of_the_embedding_model() {
        ChunkingProperties properties = bind(Map.of());

        assertThat(properties.splitter()).isEqualTo(Splitter.STRUCTURE);
        assertThat(properties.targetTokens()).isEqualTo(200);
        assertThat(properties.maxTokens()).isEqualTo(256);
        assertThat(properties.isConsistent()).isTrue();
    }

    @Test
    void every_setting_is_read() {
        ChunkingProperties properties = bind(Map.of(
                "tsumugi.ingest.chunking.splitter", "recursive",
                "tsumugi.ingest.chunking.unit", "tokens",
                "tsumugi.ingest.chunking.target-tokens", "100",
                "tsumugi.ingest.chunking.max-tokens", "120",
                "tsumugi.ingest.chunking.overlap-tokens", "10",
                "tsumugi.ingest.chunking.size", "64",
                "tsumugi.ingest.chunking.overlap", "8",
                "tsumugi.ingest.chunking.separators[0]", "。",
                "tsumugi.ingest.chunking.separators[1]", ""));

        assertThat(properties)
                .isEqualTo(
                        new ChunkingProperties(Splitter.RECURSIVE, 100, 120, 10, Unit.TOKENS, 64, 8, List.of("。", "")));
    }

    @Test
    void sizes_that_contradict_each_other_are_refused() {
        assertThat(new ChunkingProperties(Splitter.STRUCTURE, 200, 100, 20, Unit.TOKENS, 64, 8, List.of(""))
                        .isConsistent())
                .isFalse();
        assertThat(new ChunkingProperties(Splitter.TOKEN, 100, 100, 20, Unit.TOKENS, 64, 64, List.of(""))
                        .isConsistent())
                .isFalse();
    }

    @ParameterizedTest
    @CsvSource({
        "STRUCTURE, CHARACTERS",
        "RECURSIVE, CHARACTERS",
        "RECURSIVE, TOKENS",
        "CHARACTER, CHARACTERS",
        "CHARACTER, TOKENS",
        "TOKEN, TOKENS"
    })
    void every_splitter_gives_passages_that_are_parts_of_the_text(Splitter splitter, Unit unit) {
        String text = ("The night shift checks every pump.\n\n水門を開ける前にポンプを点検します。 The end. ").repeat(30);
        ParsedDocument document = new ParsedDocument(text, null, "text/plain", List.<DocumentBlock>of());
        ChunkingProperties properties =
                new ChunkingProperties(splitter, 100, 120, 10, unit, 60, 12, List.of("\n\n", " ", ""));

        List<TextChunk> chunks = properties.chunker().chunk(document);

        assertThat(chunks).isNotEmpty();
        int lastStart = -1;
        for (TextChunk chunk : chunks) {
            assertThat(chunk.text())
                    .isEqualTo(text.substring(chunk.start(), chunk.end()))
                    .isNotBlank();
            assertThat(chunk.start()).isGreaterThan(lastStart);
            lastStart = chunk.start();
        }
        assertThat(chunks.getLast().end()).isGreaterThan(text.length() - 4);
    }
}
