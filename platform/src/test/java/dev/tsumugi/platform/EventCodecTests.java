package dev.tsumugi.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tsumugi.contracts.event.DocumentChunks;
import dev.tsumugi.contracts.event.DocumentIngest;
import dev.tsumugi.platform.kafka.EventCodec;
import dev.tsumugi.platform.kafka.InvalidEventException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class EventCodecTests {
    private final EventCodec codec = new EventCodec();

    @Test
    void what_was_encoded_is_decoded() {
        DocumentChunks.Chunk chunk = new DocumentChunks.Chunk(0, 3, 8, "ab", "Title > 題", "text \uD83D\uDE00");
        DocumentChunks event = new DocumentChunks(
                1,
                "default",
                "a/b",
                7,
                "hash",
                "title",
                Map.of("k", "v"),
                List.of("hr"),
                false,
                0,
                1,
                List.of(chunk),
                "cut");
        assertThat(codec.decode(codec.encode(event), DocumentChunks.class, 1)).isEqualTo(event);
    }

    @Test
    void unknown_fields_are_ignored_so_that_a_newer_sender_may_add_some() {
        assertThat(decode("{\"schemaVersion\":1,\"text\":\"hello\",\"colour\":\"red\"}")
                        .text())
                .isEqualTo("hello");
    }

    @Test
    void another_schema_version_is_refused_by_name() {
        assertThatThrownBy(() -> decode("{\"schemaVersion\":2,\"text\":\"hello\"}"))
                .isInstanceOf(InvalidEventException.class)
                .hasMessage("unknown schemaVersion 2; this service reads version 1");
    }

    @Test
    void a_missing_schema_version_is_refused() {
        assertThatThrownBy(() -> decode("{\"text\":\"hello\"}")).hasMessageContaining("schemaVersion is missing");
    }

    @Test
    void malformed_json_is_refused() {
        for (String bad : List.of("", "{", "[]", "null", "\"text\"", "{\"schemaVersion\":1,\"acl\":{}}")) {
            assertThatThrownBy(() -> decode(bad)).as(bad).isInstanceOf(InvalidEventException.class);
        }
    }

    @Test
    void a_missing_required_field_is_named_even_when_nested() {
        String json = """
                {"schemaVersion":1,"tenant":"t","documentId":"d","version":1,"contentHash":"h","title":"t","metadata":{},"acl":[],
                 "deleted":false,"part":0,"parts":1,"chunks":[{"index":0,"start":0,"end":1,"hash":"h","heading":""}]}""";
        assertThatThrownBy(() -> codec.decode(json.getBytes(StandardCharsets.UTF_8), DocumentChunks.class, 1))
                .isInstanceOf(InvalidEventException.class)
                .hasMessage("the field text is missing");
    }

    private DocumentIngest decode(String json) {
        return codec.decode(json.getBytes(StandardCharsets.UTF_8), DocumentIngest.class, 1);
    }
}
