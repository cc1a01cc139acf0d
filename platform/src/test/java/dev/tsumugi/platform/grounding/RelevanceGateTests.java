package dev.tsumugi.platform.grounding;

import static dev.tsumugi.platform.grounding.Passages.passage;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tsumugi.contracts.api.AnswerRequest;
import java.util.List;
import org.junit.jupiter.api.Test;

class RelevanceGateTests {
    private static final String BACKUP = "Backups run every night at two o'clock and are kept for thirty days.";
    private final RelevanceGate gate = new RelevanceGate(0.835, 0.87);

    @Test
    void a_question_about_the_passages_passes_and_an_off_topic_one_does_not() {
        assertThat(gate.passes("How long are backups kept?", List.of(passage("b", BACKUP, 0.84, 0))))
                .isTrue();
        assertThat(gate.passes("Who won the football match?", List.of(passage("b", BACKUP, 0.77, 0))))
                .isFalse();
        assertThat(gate.passes("How long are backups kept?", List.of())).isFalse();
    }

    @Test
    void shared_words_help_a_question_over_the_threshold() {
        assertThat(gate.passes("How long are backups kept?", List.of(passage("b", BACKUP, 0.80, 0))))
                .isTrue();
        assertThat(gate.passes("How long do copies stay?", List.of(passage("b", BACKUP, 0.80, 0))))
                .isFalse();
    }

    @Test
    void coverage_counts_content_words_of_english_and_pairs_of_chinese_characters() {
        assertThat(RelevanceGate.coverage("How long are backups kept?", passage("b", BACKUP)))
                .isGreaterThan(0.6);
        assertThat(RelevanceGate.coverage("有給休暇は何日ですか", passage("k", "年次有給休暇は10日です。")))
                .isGreaterThan(0.5);
        assertThat(RelevanceGate.coverage("富士山の高さは？", passage("k", "年次有給休暇は10日です。")))
                .isZero();
    }

    @Test
    void a_question_in_japanese_needs_its_own_relevance() {
        String leave = "年次有給休暇は10日です。";
        assertThat(gate.passes("有給休暇は何日ですか", List.of(passage("k", leave, 0.86, 0))))
                .isTrue();
        assertThat(gate.passes("富士山の高さは？", List.of(passage("k", leave, 0.86, 0))))
                .isFalse();
    }

    @Test
    void a_threshold_of_zero_lets_everything_pass_that_was_retrieved() {
        assertThat(new RelevanceGate(0, 0).passes("Anything?", List.of(passage("b", BACKUP, 0, 0))))
                .isTrue();
    }

    @Test
    void passages_that_were_found_without_vectors_are_judged_by_their_words() {
        assertThat(gate.passes(byWords("How long are backups kept?"))).isTrue();
        assertThat(gate.passes(byWords("Who won the football match?"))).isFalse();
        assertThat(gate.passes(new AnswerRequest("How long?", List.of(), "", null, null, 0, "no vectors")))
                .isFalse();
    }

    @Test
    void found_without_vectors_everything_passes_only_in_the_language_whose_threshold_is_zero() {
        RelevanceGate english = new RelevanceGate(0, 0.87);
        assertThat(english.passes(byWords("Who won the football match?"))).isTrue();
        assertThat(english.passes(byWords("富士山の高さは？"))).isFalse();
        RelevanceGate japanese = new RelevanceGate(0.835, 0);
        assertThat(japanese.passes(byWords("富士山の高さは？"))).isTrue();
        assertThat(japanese.passes(byWords("Who won the football match?"))).isFalse();
    }

    @Test
    void a_low_threshold_of_relevance_lowers_no_share_of_words() {
        assertThat(new RelevanceGate(0.01, 0.01).passes(byWords("Who won the football match at night?")))
                .isFalse();
    }

    private static AnswerRequest byWords(String question) {
        return new AnswerRequest(question, List.of(passage("b", BACKUP, 0, 0)), "", null, null, 0, "no vectors");
    }
}
