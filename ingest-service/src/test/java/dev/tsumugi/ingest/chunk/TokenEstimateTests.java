package dev.tsumugi.ingest.chunk;

import static org.assertj.core.api.Assertions.assertThat;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.StringLength;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TokenEstimateTests {
    @ParameterizedTest
    @CsvSource({
        "the, 1",
        "night, 1",
        "shifts, 2",
        "camelCase, 2",
        "ABC, 1",
        "2026, 2",
        "3.14, 3",
        "水門を開ける, 6",
        "été, 3",
        "한국, 6",
        "😀, 2",
        "'a, b', 3",
        "' ', 0"
    })
    void counts_as_documented(String text, int tokens) {
        assertThat(TokenEstimate.of(text)).isEqualTo(tokens);
    }

    @Property(tries = 500)
    void a_text_never_counts_more_than_its_parts(@ForAll @StringLength(max = 60) String text) {
        for (int i = 0; i <= text.length(); i++) {
            assertThat(TokenEstimate.of(text))
                    .isLessThanOrEqualTo(TokenEstimate.of(text, 0, i) + TokenEstimate.of(text, i, text.length()));
        }
    }
}
