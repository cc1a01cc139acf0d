package dev.tsumugi.platform.grounding;

import static dev.tsumugi.platform.grounding.Passages.passage;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class ExcerptsTests {
    private static final String LONG = "The service was founded in Osaka. Its colour is green. "
            + "Backups are written at night. They are kept for thirty days. The mascot is a heron. Tea is free.";

    @Test
    void the_sentences_that_matter_come_first_and_keep_the_order_of_the_document() {
        List<String> excerpts = Excerpts.of(
                "How long are backups kept?", List.of(passage("a", LONG)), text -> text.split("\\s+").length, 18, 0);
        assertThat(excerpts).containsExactly("Backups are written at night. They are kept for thirty days.");
    }

    @Test
    void everything_is_taken_when_it_fits() {
        List<String> excerpts = Excerpts.of(
                "How long are backups kept?",
                List.of(passage("a", LONG), passage("b", "Another text. It is short.")),
                text -> text.split("\\s+").length,
                1000,
                0);
        assertThat(excerpts).containsExactly("Another text. It is short.", LONG);
    }

    @Test
    void with_focus_what_has_nothing_to_do_with_the_question_is_left_out() {
        List<String> excerpts = Excerpts.of(
                "How long are backups kept?",
                List.of(passage("a", LONG), passage("b", "Another text. It is short.")),
                text -> text.split("\\s+").length,
                1000,
                0.4);
        assertThat(excerpts).hasSize(1);
        assertThat(excerpts.getFirst()).contains("kept for thirty days").doesNotContain("green", "mascot", "Another");
    }

    @Test
    void with_focus_a_sentence_that_holds_all_words_of_the_question_stands_alone() {
        List<String> excerpts = Excerpts.of(
                "In which room does the white team meet?",
                List.of(passage(
                        "white",
                        "The white team meets in room 13. The team keeps notes about its tools. Notes are kept"
                                + " in hall 43.")),
                text -> text.split("\\s+").length,
                1000,
                0.4);
        assertThat(excerpts).containsExactly("The white team meets in room 13.");
    }

    @Test
    void with_focus_sentences_about_another_subject_are_left_out_unless_they_add_a_word_of_the_question() {
        String question = "Which room does the black team use for its meeting?";
        List<String> excerpts = Excerpts.of(
                question,
                List.of(
                        passage("red", "The red team meets in room 10."),
                        passage("black", "The black team meets in room 14."),
                        passage("rule", "Every meeting of a team ends with a use report.")),
                text -> text.split("\\s+").length,
                1000,
                0.1);
        assertThat(excerpts)
                .containsExactlyInAnyOrder(
                        "The black team meets in room 14.", "Every meeting of a team ends with a use report.");
    }

    @Test
    void a_sentence_longer_than_the_budget_is_cut() {
        List<String> excerpts = Excerpts.of("word?", List.of(passage("a", "word ".repeat(500))), String::length, 50, 0);
        assertThat(excerpts).hasSize(1);
        assertThat(excerpts.getFirst()).startsWith("word word").hasSizeLessThanOrEqualTo(50);
    }
}
