package dev.tsumugi.platform.prompt;

import static dev.tsumugi.platform.grounding.Passages.passage;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tsumugi.contracts.api.AskRequest.Turn;
import dev.tsumugi.contracts.api.SearchResponse.Hit;
import java.util.List;
import org.junit.jupiter.api.Test;

class AnswerPromptTests {
    private static final List<Hit> PASSAGES =
            List.of(passage("a", "The {question} of the hour is blue. Red is another colour."));

    private final AnswerPrompt prompt = new AnswerPrompt(text -> text.split("\\s+").length, 300, 60, 0);

    @Test
    void excerpts_come_before_the_question_and_placeholders_in_them_stay() {
        List<ChatTurn> messages = prompt.messages("Which colour?", PASSAGES, List.of());
        assertThat(messages).extracting(ChatTurn::role).containsExactly("system", "user");
        assertThat(messages.getLast().content())
                .contains("The {question} of the hour is blue.")
                .endsWith("Which colour?");
    }

    @Test
    void the_latest_turns_of_the_history_are_kept_beginning_with_a_question() {
        List<Turn> history = List.of(
                new Turn("user", "old ".repeat(200)),
                new Turn("assistant", "old"),
                new Turn("user", "new"),
                new Turn("assistant", "newer"));
        assertThat(prompt.messages("Which colour?", PASSAGES, history))
                .extracting(ChatTurn::content)
                .hasSize(4)
                .contains("new", "newer");
    }

    @Test
    void a_question_without_room_for_a_passage_is_refused_with_its_size() {
        assertThatThrownBy(() -> prompt.messages("word ".repeat(400), PASSAGES, List.of()))
                .isInstanceOf(QuestionTooLongException.class)
                .hasMessageContaining("Shorten it");
    }
}
