package dev.tsumugi.launcher.terminal;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.api.Test;

class OutputTests {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final PrintStream stream = new PrintStream(bytes, true, StandardCharsets.UTF_8);

    @Test
    void scripts_get_objects_and_nothing_else() {
        Output output = new Output(stream, true, true);
        output.say("hello");
        output.progress("reading", 1, 2, "1 of 2");
        output.object(Map.of("a", 1));

        assertThat(printed()).isEqualTo("{\"a\":1}\n");
    }

    @Test
    void people_get_text_and_nothing_else() {
        Output output = new Output(stream, false, false);
        output.say("hello");
        output.object(Map.of("a", 1));
        output.progress("reading", 1, 2, "1 of 2");

        assertThat(printed()).isEqualTo("hello\n");
    }

    @Test
    void at_a_terminal_progress_is_one_line_that_makes_room_for_the_next() {
        Output output = new Output(stream, false, true);
        output.progress("reading", 1, 2, "1 of 2");
        output.progress("reading", 2, 2, "2 of 2");
        output.say("done");

        assertThat(printed()).endsWith("\r\u001b[2Kdone\n").contains("2 of 2");
        assertThat(printed().split("\n")).hasSize(1);
    }

    @Test
    void a_line_that_was_begun_is_ended_before_the_shell_goes_on_and_no_other() {
        Output output = new Output(stream, false, false);
        output.say("The answer:");
        output.endLine();
        output.piece("The gate");
        output.endLine();
        output.endLine();

        assertThat(printed()).isEqualTo("The answer:\nThe gate\n");
    }

    private String printed() {
        return bytes.toString(StandardCharsets.UTF_8).replace(System.lineSeparator(), "\n");
    }
}
