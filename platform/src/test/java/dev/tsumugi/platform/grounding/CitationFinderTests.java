package dev.tsumugi.platform.grounding;

import static dev.tsumugi.platform.grounding.Passages.passage;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tsumugi.contracts.api.AskResponse.Citation;
import dev.tsumugi.contracts.api.SearchResponse.Hit;
import java.util.List;
import org.junit.jupiter.api.Test;

class CitationFinderTests {
    private static final String RIVER =
            "The Kiso is a river in central Japan. It is 229 kilometres long and flows into Ise Bay. Its source is in Nagano.";
    private static final String OFFICE =
            "The office opens at 8:30.\nVisitors sign in at the reception desk on the second floor. Dr. Tanaka leads the laboratory.";
    private static final String LEAVE = "年次有給休暇は、入社6か月後に10日付与される。申請は3日前までに上長へ行う。病気休暇は別に定める。";

    private final CitationFinder finder = new CitationFinder();

    @Test
    void a_supported_sentence_gets_a_mark_and_the_quote_is_the_text_of_the_document_at_its_offsets() {
        String document = "Rivers\n\n" + RIVER;
        Hit hit = passage("rivers", RIVER, 0.9, document.indexOf(RIVER));
        GroundedAnswer answer = finder.ground(
                "How long is the Kiso river?",
                "The Kiso river is 229 kilometres long.",
                List.of(passage("x", OFFICE), hit));
        assertThat(answer.text()).isEqualTo("The Kiso river is 229 kilometres long. [1]");
        Citation citation = answer.citations().getFirst();
        assertThat(citation.documentId()).isEqualTo("rivers");
        assertThat(citation.chunkId()).isEqualTo("rivers#0");
        assertThat(citation.quote()).contains("229 kilometres");
        assertThat(document.substring(citation.start(), citation.end())).isEqualTo(citation.quote());
    }

    @Test
    void a_number_that_the_passages_do_not_state_is_never_supported() {
        assertThat(finder.ground(
                                "How long is the Kiso?",
                                "The Kiso is 300 kilometres long.",
                                List.of(passage("r", RIVER)))
                        .supported())
                .isFalse();
    }

    @Test
    void what_a_passage_says_of_another_subject_supports_nothing_when_one_speaks_of_the_subject() {
        List<Hit> passages = List.of(
                passage("red", "The red team meets in room 10. The red team keeps notes."),
                passage("blue", "The blue team meets in room 11. The blue team keeps notes."));
        String question = "Which room does the blue team use for its meeting?";
        assertThat(finder.ground(question, "The blue team uses room 10.", passages)
                        .supported())
                .isFalse();
        assertThat(finder.ground(question, "The blue team uses room 11.", passages)
                        .citations())
                .extracting(Citation::documentId)
                .containsExactly("blue");
    }

    @Test
    void a_comparison_may_stand_on_a_passage_about_one_of_its_subjects_when_none_speaks_of_both() {
        GroundedAnswer answer = finder.ground(
                "Is the Shinano or the Kiso longer?",
                "The Shinano is 367 kilometres long, longer than the Kiso.",
                List.of(passage("k", RIVER), passage("s", "The Shinano is 367 kilometres long.")));
        assertThat(answer.citations()).extracting(Citation::documentId).containsExactly("s");
    }

    @Test
    void the_question_given_back_is_no_answer() {
        List<Hit> passages = List.of(passage("o", OFFICE), passage("l", LEAVE));
        assertThat(finder.ground("When does the office open?", "When does the office open?", passages)
                        .supported())
                .isFalse();
        for (String end : List.of("？", "", "。")) {
            String question = "年次有給休暇は何日ですか" + end;
            assertThat(finder.ground(question, question, passages).supported())
                    .as(question)
                    .isFalse();
        }
    }

    @Test
    void a_refusal_is_supported_by_nothing_not_even_by_a_document_about_refusals() {
        Hit guide = passage("g", "An answer may say that the documents do not hold the answer to a question.");
        String refusal = Refusals.inLanguageOf("Who is the mayor?");
        assertThat(finder.ground("Who is the mayor?", refusal, List.of(guide)).supported())
                .isFalse();
        String inOtherWords = "An answer may say that the documents do not hold the answer.";
        assertThat(finder.ground("Who is the mayor?", inOtherWords, List.of(guide))
                        .supported())
                .isTrue();
    }

    @Test
    void a_heading_that_says_nothing_beyond_the_question_is_not_the_closest() {
        Hit guide = passage("g", "## State\n\nThe state is in the folder that TSUMUGI_HOME names.");
        Citation closest = finder.closest("Where is the state kept?", List.of(guide));
        assertThat(closest).isNotNull();
        assertThat(closest.quote()).contains("TSUMUGI_HOME");
        assertThat(finder.closest("Where is the state kept?", List.of(passage("h", "## State"))))
                .isNull();
    }

    @Test
    void the_closest_passage_holds_at_least_half_of_the_words_of_the_question() {
        List<Hit> passages = List.of(passage("r", RIVER), passage("o", OFFICE));
        Citation closest = finder.closest("Where do the visitors of the laboratory sign in?", passages);
        assertThat(closest).isNotNull();
        assertThat(closest.marker()).isEqualTo(1);
        assertThat(closest.quote()).contains("Visitors sign in at the reception desk");
        assertThat(finder.closest("Who won the football cup in 1998?", passages))
                .isNull();
    }

    @Test
    void an_invented_sentence_stays_without_a_mark_beside_a_supported_one() {
        GroundedAnswer answer = finder.ground(
                "Where do visitors sign in?",
                "Visitors sign in at the reception desk. Bicycles are stored behind the canteen entrance.",
                List.of(passage("r", RIVER), passage("o", OFFICE)));
        assertThat(answer.text())
                .isEqualTo(
                        "Visitors sign in at the reception desk. [1] Bicycles are stored behind the canteen entrance.");
        assertThat(answer.citations()).hasSize(1);
        assertThat(answer.citations().getFirst().quote())
                .isEqualTo("Visitors sign in at the reception desk on the second floor.");
    }

    @Test
    void sentences_of_different_places_get_marks_of_their_own_and_the_same_place_the_same_mark() {
        GroundedAnswer answer = finder.ground(
                "What about the river and the laboratory?",
                "The river flows into Ise Bay. Dr. Tanaka leads the laboratory. It flows into Ise Bay.",
                List.of(passage("r", RIVER), passage("o", OFFICE)));
        assertThat(answer.text())
                .isEqualTo(
                        "The river flows into Ise Bay. [1] Dr. Tanaka leads the laboratory. [2] It flows into Ise Bay. [1]");
        assertThat(answer.citations()).extracting(Citation::marker).containsExactly(1, 2);
    }

    @Test
    void a_bare_fact_is_cited_where_the_question_is_answered() {
        GroundedAnswer answer = finder.ground(
                "Who leads the laboratory?",
                "Tanaka",
                List.of(passage("p", "Mr. Tanaka likes tea. The tea is green."), passage("o", OFFICE)));
        assertThat(answer.citations()).hasSize(1);
        assertThat(answer.citations().getFirst().quote()).isEqualTo("Dr. Tanaka leads the laboratory.");
    }

    @Test
    void japanese_is_aligned_without_spaces_and_full_width_digits_are_digits() {
        GroundedAnswer answer = finder.ground(
                "有給休暇は何日付与されますか。", "年次有給休暇は入社６か月後に１０日付与されます。", List.of(passage("o", OFFICE), passage("k", LEAVE)));
        assertThat(answer.text()).isEqualTo("年次有給休暇は入社６か月後に１０日付与されます。[1]");
        assertThat(answer.citations().getFirst().quote()).isEqualTo("年次有給休暇は、入社6か月後に10日付与される。");
        assertThat(finder.ground("有給休暇は何日ですか。", "有給休暇は20日です。", List.of(passage("k", LEAVE)))
                        .supported())
                .isFalse();
    }

    @Test
    void reference_marks_of_the_model_are_replaced_by_found_ones() {
        assertThat(finder.ground(
                                "How long is the Kiso?",
                                "The Kiso is 229 kilometres long [7].",
                                List.of(passage("r", RIVER)))
                        .text())
                .isEqualTo("The Kiso is 229 kilometres long. [1]");
    }

    @Test
    void a_quote_of_a_long_table_is_cut_to_what_matters() {
        StringBuilder table = new StringBuilder("| name | port |");
        for (int i = 0; i < 60; i++) {
            table.append(" | service").append(i).append(" | ").append(8000 + i).append(" |");
        }
        Citation citation = finder.ground(
                        "Which port has service42?",
                        "service42 has port 8042.",
                        List.of(passage("t", table.toString())))
                .citations()
                .getFirst();
        assertThat(citation.quote()).hasSizeLessThanOrEqualTo(400).contains("service42 | 8042");
        assertThat(table.substring(citation.start(), citation.end())).isEqualTo(citation.quote());
    }

    @Test
    void nothing_is_supported_by_nothing() {
        assertThat(finder.ground("Who?", "", List.of(passage("r", RIVER))).supported())
                .isFalse();
        assertThat(finder.ground("Who?", "The Kiso is a river.", List.of()).supported())
                .isFalse();
        assertThat(finder.ground("Who?", "...", List.of(passage("r", ""))).supported())
                .isFalse();
    }
}
