package dev.tsumugi.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** The start script with a build in place of Maven's that goes wrong; with the process group of a terminal, which Linux gives a test. */
@EnabledOnOs(OS.LINUX)
class StartScriptIT {
    @TempDir
    Path checkout;

    private record Result(int exitCode, String text) {}

    @Test
    void ctrl_c_during_the_build_is_no_failed_build() throws Exception {
        // A terminal sends the signal to all processes of the group; Maven ends with 130 then.
        Result result = upWithMaven("kill -INT 0; exit 130");
        assertThat(result.exitCode()).isEqualTo(130);
        assertThat(result.text()).contains("Interrupted during the build").doesNotContain("failed");
    }

    @Test
    void a_failed_build_shows_its_errors_and_where_its_log_is() throws Exception {
        Result result = upWithMaven("echo '[ERROR] Ship.java: cannot find symbol'; exit 1");
        assertThat(result.exitCode()).isEqualTo(1);
        assertThat(result.text())
                .contains("cannot find symbol", "Error: the build failed", "build.log")
                .doesNotContain("Interrupted");
    }

    private Result upWithMaven(String script) throws IOException, InterruptedException {
        Files.copy(Path.of("../tsumugi"), checkout.resolve("tsumugi"));
        Path maven = Files.writeString(
                Files.createDirectory(checkout.resolve("bin")).resolve("mvn"), "#!/bin/bash\n" + script);
        Files.setPosixFilePermissions(maven, PosixFilePermissions.fromString("rwxr-xr-x"));
        // A test that runs in the background of a shell has inherited that the signal is ignored.
        ProcessBuilder builder = new ProcessBuilder(
                        "setsid",
                        "--wait",
                        "env",
                        "--default-signal=INT",
                        "bash",
                        checkout.resolve("tsumugi").toString(),
                        "up")
                .redirectErrorStream(true);
        builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
        builder.environment().merge("PATH", maven.getParent().toString(), (path, first) -> first + ":" + path);
        Process process = builder.start();
        String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Result(process.waitFor(), text);
    }
}
