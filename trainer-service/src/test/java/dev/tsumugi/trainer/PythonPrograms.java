package dev.tsumugi.trainer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;

/** Servers from PyPI to test against, each in a virtual environment in the user's cache. They are large, so they must be asked for. */
public final class PythonPrograms {
    private static final String PROPERTY = "tsumugi.test.python";

    private PythonPrograms() {}

    /**
     * Installs packages if they are not there, or skips the test, loudly: a silent skip would look like a pass.
     *
     * @param requirements with their versions, such as {@code mlflow==3.5.1}; the first one names the environment
     * @return the folder of its programs
     */
    public static Path of(String... requirements) throws IOException, InterruptedException {
        String requirement = requirements[0];
        if (!Boolean.getBoolean(PROPERTY)) {
            return skipped(requirement + " is not tested against: it is large. Run with -D" + PROPERTY + "=true");
        }
        Path environment = Path.of(
                System.getProperty("user.home"),
                ".cache",
                "tsumugi",
                "test-python",
                requirement.replaceAll("[^A-Za-z0-9.]+", "-"));
        Path complete = environment.resolve("complete");
        if (!Files.exists(complete)) {
            Files.createDirectories(environment);
            String created = run(environment, 120, "python3", "-m", "venv", "--clear", environment.toString());
            List<String> install = new ArrayList<>(List.of(
                    environment.resolve("bin/python").toString(),
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check"));
            install.addAll(List.of(requirements));
            String installed = created.isEmpty() ? run(environment, 900, install.toArray(String[]::new)) : created;
            if (!installed.isEmpty()) {
                return skipped(requirement + " cannot be installed: " + installed);
            }
            Files.createFile(complete);
        }
        return environment.resolve("bin");
    }

    private static <T> T skipped(String reason) {
        System.err.println("SKIPPED: " + reason);
        return Assumptions.abort(reason);
    }

    /** @return why it failed, or nothing */
    private static String run(Path environment, int limitSeconds, String... command)
            throws IOException, InterruptedException {
        Path output = Files.createTempFile("tsumugi-python", ".log");
        try {
            Process process = new ProcessBuilder(List.of(command))
                    .directory(environment.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(output.toFile())
                    .start();
            if (!process.waitFor(limitSeconds, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                return "it takes longer than " + limitSeconds + " s";
            }
            return process.exitValue() == 0 ? "" : "exit " + process.exitValue() + "\n" + Files.readString(output);
        } catch (IOException e) {
            return String.valueOf(e.getMessage());
        } finally {
            Files.delete(output);
        }
    }
}
