package dev.tsumugi.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;
import tools.jackson.databind.json.JsonMapper;

class TsumugiTests {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @Test
    void help_names_every_verb_and_leaves_with_0() {
        assertThat(execute("--help")).isZero();
        assertThat(out.toString())
                .contains(
                        "up",
                        "demo",
                        "stop",
                        "status",
                        "ingest",
                        "search",
                        "ask",
                        "models",
                        "adapters",
                        "doctor",
                        "fetch",
                        "bench");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "up",
                "demo",
                "stop",
                "status",
                "ingest",
                "search",
                "ask",
                "models",
                "adapters",
                "doctor",
                "fetch"
            })
    void every_verb_has_help_and_json(String verb) {
        assertThat(execute(verb, "--help")).isZero();
        assertThat(out.toString()).contains("--help", "--json");
    }

    @Test
    void wrong_usage_leaves_with_2_and_says_what_is_wrong() {
        assertThat(execute("serch", "x")).isEqualTo(2);
        assertThat(execute("ask")).isEqualTo(2);
        assertThat(execute("ingest")).isEqualTo(2);
        assertThat(execute("search", "x", "--limit", "many")).isEqualTo(2);
        assertThat(execute("search", "x", "--mode", "best")).isEqualTo(2);
        assertThat(execute()).isEqualTo(2);
        assertThat(err.toString()).contains("Did you mean: tsumugi search", "QUESTION", "PATH", "'many'", "'best'");
    }

    @Test
    void a_failure_leaves_with_1_and_says_why_without_a_stack_trace() {
        assertThat(execute("ingest", "no/such/file")).isEqualTo(1);
        assertThat(err.toString())
                .contains("Error: no/such/file does not exist")
                .doesNotContain("\tat ");
    }

    @Test
    void a_failure_is_one_json_object_where_json_is_asked_for() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        PrintStream before = System.out;
        System.setOut(new PrintStream(bytes, true, StandardCharsets.UTF_8));
        try {
            assertThat(execute("ingest", "--json", "no/such/file")).isEqualTo(1);
        } finally {
            System.setOut(before);
        }
        List<String> lines = bytes.toString(StandardCharsets.UTF_8).lines().toList();
        assertThat(lines).hasSize(1);
        assertThat(JsonMapper.shared().readTree(lines.getFirst()).get("error").asString())
                .contains("no/such/file does not exist");
        assertThat(err.toString()).isEmpty();
    }

    private int execute(String... arguments) {
        CommandLine line = Tsumugi.commandLine();
        line.setOut(new PrintWriter(out, true));
        line.setErr(new PrintWriter(err, true));
        return line.execute(arguments);
    }
}
