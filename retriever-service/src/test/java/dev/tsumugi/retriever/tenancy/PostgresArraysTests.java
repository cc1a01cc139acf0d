package dev.tsumugi.retriever.tenancy;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class PostgresArraysTests {
    @Test
    void elements_are_quoted_so_that_none_can_end_early() {
        assertThat(PostgresArrays.literal(List.of("hr", "a,b", "\"} '", "\\")))
                .isEqualTo("{\"hr\",\"a,b\",\"\\\"} '\",\"\\\\\"}");
        assertThat(PostgresArrays.literal(List.of())).isEqualTo("{}");
    }
}
