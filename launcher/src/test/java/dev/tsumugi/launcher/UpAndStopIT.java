package dev.tsumugi.launcher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tsumugi.embedded.Ports;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** One platform in the background, handled by the commands as a user would; the order of the tests is the user's. */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class UpAndStopIT {
    private static Path folder;
    private static int port;

    private record Result(int exitCode, String text) {
        JsonNode last() {
            return JsonMapper.shared().readTree(text.lines().toList().getLast());
        }
    }

    @BeforeAll
    static void chooseFolderAndPorts() throws IOException {
        folder = Files.createTempDirectory("tsumugi-up-test-");
        // PostgreSQL runs as another account when the tests run as root.
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
        port = Ports.free(1020);
        // In place of the start script: tells what it was called for.
        Path script = folder.resolve("tsumugi");
        Files.writeString(script, "#!/bin/sh\necho \"$@\" >> \"$(dirname \"$0\")/calls\"\n");
        Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    @AfterAll
    static void cleanUp() throws IOException, InterruptedException {
        command("stop");
        List<Path> all;
        try (Stream<Path> walk = Files.walk(folder)) {
            all = walk.sorted(Comparator.reverseOrder()).toList();
        }
        for (Path path : all) {
            Files.deleteIfExists(path);
        }
    }

    @Test
    @Order(1)
    void nothing_runs_at_first_and_stop_is_content_with_that() throws Exception {
        assertThat(command("status", "--json").exitCode()).isEqualTo(1);
        Result stop = command("stop", "--json");
        assertThat(stop.exitCode()).isZero();
        assertThat(stop.last().get("stopped").asBoolean()).isFalse();
    }

    @Test
    @Order(2)
    void a_start_that_is_broken_off_says_so_and_leaves_nothing_running() throws Exception {
        Process up = start(folder.resolve("state"), "up", "--detach");
        try (BufferedReader lines = up.inputReader(StandardCharsets.UTF_8)) {
            String line = lines.readLine();
            while (line != null && !line.contains("ready after")) {
                line = lines.readLine();
            }
            assertThat(line).contains("ready after");
            assertThat(up.toHandle().descendants().count()).isPositive();

            up.toHandle().destroy(); // unlike destroy() of the process, this leaves its output to be read

            assertThat(lines.lines()).contains("Stopped before it was ready.");
        }
        assertThat(up.waitFor()).isNotZero();
        assertThat(command("status", "--json").exitCode()).isEqualTo(1);
        assertThat(folder.resolve("state/run/platform")).doesNotExist();
    }

    @Test
    @Order(3)
    void up_in_the_background_returns_when_questions_can_be_asked() throws Exception {
        Result up = command("up", "--detach", "--json");

        assertThat(up.exitCode()).as(up.text()).isZero();
        JsonNode ready = up.last().get("ready");
        assertThat(ready.get("address").asString()).isEqualTo("http://localhost:" + port);
        assertThat(ready.get("newKey").asBoolean()).isTrue();
        assertThat(Path.of(ready.get("keyFile").asString())).exists();
        assertThat(up.text()).doesNotContain("tsu_");
        Result search = command("search", "anything", "--json");
        assertThat(search.exitCode()).as(search.text()).isZero();
        assertThat(search.last().get("hits").size()).isZero();
    }

    @Test
    @Order(4)
    void a_second_start_says_that_it_runs_already() throws Exception {
        Result again = command("up", "--detach");
        assertThat(again.exitCode()).isZero();
        assertThat(again.text()).contains("running already");

        Result foreground = command("up");
        assertThat(foreground.exitCode()).isEqualTo(1);
        assertThat(foreground.text()).contains("running already", "http://localhost:" + port);
    }

    @Test
    @Order(5)
    void another_home_on_the_same_ports_is_told_which_port_is_busy() throws Exception {
        Result other = commandIn(folder.resolve("other"), "up");

        assertThat(other.exitCode()).isEqualTo(1);
        assertThat(other.text()).contains("Port " + port, "TSUMUGI_PORT=");
        assertThat(folder.resolve("foreground.classes")).doesNotExist();
        assertThat(folder.resolve("calls")).doesNotExist();
    }

    @Test
    @Order(6)
    void stop_ends_it_with_all_its_children() throws Exception {
        JsonNode status = command("status", "--json").last();
        ProcessHandle platform = ProcessHandle.of(status.get("pid").asLong()).orElseThrow();
        List<ProcessHandle> children = platform.descendants().toList();
        assertThat(children).isNotEmpty();

        Result stop = command("stop", "--json");

        assertThat(stop.last().get("clean").asBoolean()).isTrue();
        assertThat(children).noneMatch(ProcessHandle::isAlive);
        assertThat(platform.isAlive()).isFalse();
        assertThat(command("status").exitCode()).isEqualTo(1);
        // What it loaded is handed over for faster starts, because it had become ready.
        Path record = folder.resolve("background.classes");
        assertThat(record).isNotEmptyFile();
        await().atMost(Duration.ofSeconds(30))
                .untilAsserted(() -> assertThat(folder.resolve("calls"))
                        .hasContent("keep-start-cache " + record + " " + platform.pid()));
    }

    private static Result command(String... words) throws IOException, InterruptedException {
        return commandIn(folder.resolve("state"), words);
    }

    private static Result commandIn(Path home, String... words) throws IOException, InterruptedException {
        Process process = start(home, words);
        String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Result(process.waitFor(), text);
    }

    private static Process start(Path home, String... words) throws IOException {
        List<String> line = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-Xmx128m",
                "-Dtsumugi.project=" + folder,
                "-Dtsumugi.platform.option=-XX:DumpLoadedClassList=" + folder.resolve("background.classes"),
                "-XX:DumpLoadedClassList=" + folder.resolve("foreground.classes"),
                Tsumugi.class.getName()));
        line.addAll(List.of(words));
        ProcessBuilder builder = new ProcessBuilder(line).redirectErrorStream(true);
        builder.environment().put("CLASSPATH", System.getProperty("java.class.path"));
        builder.environment().put("TSUMUGI_HOME", home.toString());
        builder.environment().put("TSUMUGI_PORT", Integer.toString(port));
        return builder.start();
    }
}
