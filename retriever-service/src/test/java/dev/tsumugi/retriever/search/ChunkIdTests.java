package dev.tsumugi.retriever.search;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ChunkIdTests {
    @Test
    void an_id_is_read_as_it_is_written() {
        ChunkId id = new ChunkId("mail/a@b.example#1@x", 12, 7);
        assertThat(id).hasToString("mail/a@b.example#1@x@12#7");
        assertThat(ChunkId.parse(id.toString())).isEqualTo(id);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "a", "a@1", "a#1", "@1#1", "a@1#", "a@#1", "a@x#1", "a@1#99999999999", "a#1@2"})
    void anything_else_is_no_id(String text) {
        assertThat(ChunkId.parse(text)).isNull();
    }
}
