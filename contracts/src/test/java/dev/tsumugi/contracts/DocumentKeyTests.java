package dev.tsumugi.contracts;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DocumentKeyTests {

    @ParameterizedTest
    @ValueSource(strings = {"default/handbook", "acme-1/a/b/c.pdf", "t/就業規則 2026"})
    void a_key_survives_parsing_and_printing(String key) {
        assertThat(DocumentKey.parse(key)).hasToString(key);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "handbook", "/handbook", "default/", "default/  ", "te nant/x", "ｔ/x", "t/a\u0000b"})
    void a_key_that_breaks_the_rules_is_refused_with_its_text(String key) {
        assertThatThrownBy(() -> DocumentKey.parse(key))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("must be");
    }
}
