package dev.tsumugi.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class DiesWithParentIT {
    /** Runs in a JVM of its own, which the test kills. */
    static final class Parent {
        public static void main(String[] arguments) throws Exception {
            Path folder = Path.of(arguments[0]);
            EmbeddedPostgres postgres = EmbeddedPostgres.builder(folder.resolve("pg"))
                    .durable(false)
                    .start();
            EmbeddedKafka kafka = EmbeddedKafka.builder(folder.resolve("kafka")).start();
            System.out.println("started " + postgres.pid() + " " + kafka.pid());
            Thread.currentThread().join();
        }
    }

    @Test
    void both_servers_end_when_their_parent_is_killed_and_start_again_at_once() throws Exception {
        try (TemporaryFolder folder = TemporaryFolder.create("parent-test")) {
            Process parent = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-cp",
                            System.getProperty("java.class.path"),
                            Parent.class.getName(),
                            folder.path().toString())
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            long[] children = startedBy(parent);

            parent.destroyForcibly();

            try (EmbeddedPostgres postgres = EmbeddedPostgres.builder(
                                    folder.path().resolve("pg"))
                            .durable(false)
                            .start();
                    EmbeddedKafka kafka = EmbeddedKafka.builder(folder.path().resolve("kafka"))
                            .start()) {
                assertThat(postgres.isRunning() && kafka.isRunning()).isTrue();
                for (long pid : children) {
                    await().atMost(Duration.ofSeconds(20))
                            .until(() -> ProcessHandle.of(pid).isEmpty());
                }
            }
        }
    }

    private static long[] startedBy(Process parent) throws Exception {
        try (BufferedReader output =
                new BufferedReader(new InputStreamReader(parent.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line = output.readLine(); line != null; line = output.readLine()) {
                if (line.startsWith("started ")) {
                    String[] words = line.split(" ");
                    return new long[] {Long.parseLong(words[1]), Long.parseLong(words[2])};
                }
            }
        }
        throw new AssertionError("the parent did not start");
    }
}
