package dev.tsumugi.trainer.examples;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PersonalDataPatternsTests {
    private final PersonalDataFilter filter = new PersonalDataPatterns();

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "Write to hanako.yamada+hr@mail.example.co.jp today. | Write to [email] today.",
                "電話は03-1234-5678です | 電話は[phone]です",
                "携帯 09012345678 | 携帯 [phone]",
                "(03) 1234-5678 | [phone]",
                "+81 90 1234 5678 | [phone]",
                "call 555-010-9999 | call [phone]",
                "card 4111 1111 1111 1111 | card [card]",
                "4111-1111-1111-1111 | [card]",
                "番号は123456789018 | 番号は[my-number]",
                "1234 5678 9018 | [my-number]",
            })
    void what_has_a_form_is_replaced_by_a_tag(String text, String expected) {
        assertThat(filter.withoutPersonalData(text)).isEqualTo(expected);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "order 4111 1111 1111 1112", // wrong check digit
                "1234 5678 9012", // wrong check digit
                "The river is 229 kilometres long, 12.5 % more than in 1741.",
                "2026-11-21 16:30:00",
                "version 1.2.3 of section 10-4",
                "v @ home, a@b",
                "¥1,234,567"
            })
    void numbers_without_such_a_form_stay(String text) {
        assertThat(filter.withoutPersonalData(text)).isEqualTo(text);
    }

    @Test
    void a_long_text_that_almost_matches_takes_no_time() {
        String text = "a.".repeat(100_000) + "1 ".repeat(100_000) + "+1 ".repeat(10_000);
        assertThat(filter.withoutPersonalData(text)).hasSizeGreaterThan(100_000);
    }
}
