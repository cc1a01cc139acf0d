package dev.tsumugi.launcher.runtime;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Predicate;

/** The platform in a process of its own that outlives this one. */
public final class PlatformProcess {
    private static final Duration STOP_LIMIT = Duration.ofSeconds(90);
    private static final Path SETSID = Path.of("/usr/bin/setsid");

    private PlatformProcess() {}

    /**
     * Starts {@code tsumugi up --json} in the background and hands its lines on until {@code isLast} holds for one.
     *
     * @param mainClass the class of the command line
     * @return empty when that line came, else the exit code of the process
     */
    public static OptionalInt start(StateFolder home, Class<?> mainClass, Predicate<String> isLast) {
        home.create();
        try {
            List<String> command = new ArrayList<>();
            // Its own session: neither Ctrl-C nor the end of the terminal reaches it.
            command.add(Files.isExecutable(SETSID) ? SETSID.toString() : "nohup");
            command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
            command.addAll(jvmOptions());
            command.addAll(List.of(mainClass.getName(), "up", "--json"));
            ProcessBuilder builder = new ProcessBuilder(command)
                    .redirectError(ProcessBuilder.Redirect.appendTo(
                            home.logs().resolve("platform.err").toFile()));
            // Not as an argument: a command line of 30 KB is no help to whoever lists processes.
            builder.environment().put("CLASSPATH", System.getProperty("java.class.path"));
            Process process = builder.start();
            Thread abandon = new Thread(process::destroy, "abandon-start");
            Runtime.getRuntime().addShutdownHook(abandon);
            if (follow(process, isLast)) {
                Runtime.getRuntime().removeShutdownHook(abandon);
                return OptionalInt.empty();
            }
            return OptionalInt.of(process.waitFor());
        } catch (IOException e) {
            throw new LaunchException("Cannot start the platform: " + e, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new LaunchException("Interrupted while Tsumugi started.", e);
        }
    }

    private static boolean follow(Process process, Predicate<String> isLast) throws IOException {
        BufferedReader lines =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            if (isLast.test(line)) {
                return true;
            }
        }
        return false;
    }

    /** The options that the start script uses for {@code up} as well. */
    static List<String> jvmOptions() throws IOException {
        try (InputStream in = PlatformProcess.class.getResourceAsStream("/dev/tsumugi/launcher/platform.jvmoptions")) {
            if (in == null) {
                throw new IOException("platform.jvmoptions is missing from the class path");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .map(String::strip)
                    .filter(line -> !line.isEmpty() && !line.startsWith("#"))
                    .toList();
        }
    }

    /**
     * Asks the recorded process to stop and waits for it.
     *
     * @return false when it had to be killed
     */
    public static boolean stop(ProcessHandle process) {
        process.destroy();
        try {
            var unused = process.onExit().get(STOP_LIMIT.toSeconds(), TimeUnit.SECONDS);
            return true;
        } catch (TimeoutException e) {
            process.destroyForcibly();
            return false;
        } catch (ExecutionException e) {
            throw new LaunchException("Cannot wait for process " + process.pid() + ": " + e, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new LaunchException("Interrupted while Tsumugi stopped.", e);
        }
    }
}
