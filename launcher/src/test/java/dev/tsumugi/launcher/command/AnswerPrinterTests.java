package dev.tsumugi.launcher.command;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tsumugi.contracts.api.AnswerEvent;
import dev.tsumugi.contracts.api.AskResponse;
import dev.tsumugi.launcher.client.GatewayClient;
import dev.tsumugi.launcher.terminal.Output;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class AnswerPrinterTests {
    private static final AskResponse.Citation CITATION =
            new AskResponse.Citation(1, "rules.pdf", "rules.pdf#0", "Work rules", "Leave is ten days.", 5, 23);

    private final ByteArrayOutputStream printed = new ByteArrayOutputStream();
    private final AnswerPrinter printer = new AnswerPrinter(
            new GatewayClient(URI.create("http://localhost:1"), "unused"),
            new Output(new PrintStream(printed, true, StandardCharsets.UTF_8), false, false));

    private String printed() {
        return printed.toString(StandardCharsets.UTF_8);
    }

    private static AnswerEvent delta(String text) {
        return new AnswerEvent(text, null, null);
    }

    private static AnswerEvent done(String answer, boolean answered) {
        return done(answer, answered, null);
    }

    private static AnswerEvent done(String answer, boolean answered, @Nullable String degraded) {
        AskResponse response = new AskResponse(
                answer,
                answered,
                List.of(CITATION),
                new AskResponse.Provenance("model", null, null, "generation", "prompt"),
                new AskResponse.Usage(10, 4),
                new AskResponse.Timings(1, 2, 3),
                degraded);
        return new AnswerEvent(null, response, null);
    }

    @Test
    void an_answer_is_shown_once_and_with_its_source() {
        printer.print(delta("Ten"));
        printer.print(delta(" days."));
        printer.print(done("Ten days. [1]", true));
        assertThat(printed()).containsOnlyOnce("Ten days.").contains("[1] Work rules (rules.pdf, characters 5 to 23)");
        assertThat(printed()).doesNotContain("Taken back");
    }

    @Test
    void what_no_passage_supports_is_taken_back_and_the_closest_passage_shown() {
        printer.print(delta("Bananas."));
        printer.print(done("No certain answer was found. [1]", false));
        assertThat(printed())
                .contains("Bananas.", "Taken back", "No certain answer was found. [1]", "Leave is ten days.");
    }

    @Test
    void a_refusal_of_the_model_itself_is_not_taken_back() {
        printer.print(delta("The documents do not hold the answer to this question."));
        printer.print(done("No certain answer was found. [1]", false));
        assertThat(printed())
                .contains("No certain answer was found. [1]", "Leave is ten days.")
                .doesNotContain("Taken back");
    }

    @Test
    void an_answer_from_worse_passages_says_so() {
        printer.print(done("Ten days. [1]", true, "Vector search is unavailable."));
        assertThat(printed()).contains("Note: Vector search is unavailable.");
    }

    @Test
    void an_answer_that_streamed_nothing_is_shown_at_the_end() {
        printer.print(done("Ten days. [1]", true));
        assertThat(printed()).contains("Ten days. [1]");
    }
}
