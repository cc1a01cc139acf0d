package dev.tsumugi.system;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The official OpenAI client for Python, unchanged, against the platform. */
class OpenAiClientIT {
    @TempDir
    Path folder;

    private record Result(int exitCode, String output) {}

    @Test
    void the_official_client_chats_streams_embeds_and_understands_errors() throws Exception {
        Path python = clientPython();
        RunningPlatform platform = SharedPlatform.get();
        Result result = run(
                300,
                List.of(python.toString(), resource("check.py").toString()),
                "OPENAI_BASE_URL=http://localhost:" + platform.port() + "/v1",
                "OPENAI_API_KEY=" + platform.key());
        assertThat(result.exitCode()).as(result.output()).isZero();
        assertThat(result.output())
                .contains(
                        "models:",
                        "chat:",
                        "stream: ok",
                        "structured: ok",
                        "cancel: ok",
                        "embeddings: ok",
                        "errors: ok");
    }

    /** The interpreter of a virtual environment that has the client. */
    private Path clientPython() throws Exception {
        Path environment = folder.resolve("venv");
        Result created;
        try {
            created = run(120, List.of("python3", "-m", "venv", environment.toString()));
        } catch (IOException e) {
            return Skipped.because("the OpenAI client is not tested: there is no python3 (" + e.getMessage() + ")");
        }
        if (created.exitCode() != 0) {
            return Skipped.because("the OpenAI client is not tested: python3 -m venv fails; install python3-venv\n"
                    + created.output());
        }
        Path python = environment.resolve("bin/python");
        Result installed = run(
                300,
                List.of(
                        python.toString(),
                        "-m",
                        "pip",
                        "install",
                        "--quiet",
                        "--disable-pip-version-check",
                        "--requirement",
                        resource("requirements.txt").toString()));
        if (installed.exitCode() != 0) {
            return Skipped.because("the OpenAI client is not tested: pip cannot install it\n" + installed.output());
        }
        return python;
    }

    private static Path resource(String name) throws URISyntaxException {
        return Path.of(Objects.requireNonNull(OpenAiClientIT.class.getResource("/openai-client/" + name))
                .toURI());
    }

    private Result run(int limitSeconds, List<String> command, String... environment) throws Exception {
        File output = Files.createTempFile(folder, "command", ".out").toFile();
        ProcessBuilder builder =
                new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output);
        for (String entry : environment) {
            int equals = entry.indexOf('=');
            builder.environment().put(entry.substring(0, equals), entry.substring(equals + 1));
        }
        Process process = builder.start();
        if (!process.waitFor(limitSeconds, TimeUnit.SECONDS)) {
            process.destroyForcibly();
            throw new AssertionError(command + " takes longer than " + limitSeconds + " s");
        }
        return new Result(process.exitValue(), Files.readString(output.toPath(), StandardCharsets.UTF_8));
    }
}
