package dev.tsumugi.platform.grounding;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class SentencesTests {

    @Test
    void full_stops_end_sentences_but_abbreviations_initials_and_numbers_do_not() {
        assertThat(cut("Dr. Tanaka met J. Smith at 3.5 km. \"Really?\" He did. Approx. ten people came."))
                .containsExactly(
                        "Dr. Tanaka met J. Smith at 3.5 km.", "\"Really?\"", "He did.", "Approx. ten people came.");
    }

    @Test
    void japanese_sentences_need_no_space_and_keep_their_closing_brackets() {
        assertThat(cut("彼は「行こう。」と言った。次は？はい")).containsExactly("彼は「行こう。」", "と言った。", "次は？", "はい");
    }

    @Test
    void list_items_headings_and_blank_lines_separate_but_a_wrapped_line_does_not() {
        assertThat(cut("A line\nthat goes on\n\n# Head\n- one\n- two\n1. three"))
                .containsExactly("A line\nthat goes on", "# Head", "- one", "- two", "1. three");
    }

    private static List<String> cut(String text) {
        return Sentences.of(text).stream()
                .map(span -> text.substring(span.start(), span.end()))
                .toList();
    }
}
