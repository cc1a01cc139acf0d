package dev.tsumugi.launcher.runtime;

import java.io.IOException;
import java.io.InputStream;
import java.io.Reader;
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
    /** A little more than the platform gives itself. */
    private static final Duration STOP_LIMIT = Duration.ofSeconds(60);

    private static final Duration KILL_LIMIT = Duration.ofSeconds(10);
    private static final Duration BETWEEN_LOOKS = Duration.ofMillis(100);
    private static final Path SETSID = Path.of("/usr/bin/setsid");

    private PlatformProcess() {}

    /**
     * Starts {@code tsumugi up --json} in the background and hands its lines on until {@code isLast} holds for one.
     *
     * @param mainClass the class of the command line
     * @param brokenOff called when this process is asked to end before that line came, and the other one has ended for it
     * @return empty when that line came, else the exit code of the process
     */
    public static OptionalInt start(
            StateFolder home, Class<?> mainClass, Predicate<String> isLast, Runnable brokenOff) {
        home.create();
        try {
            List<String> command = new ArrayList<>();
            command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
            command.addAll(jvmOptions());
            String furtherOption = System.getProperty("tsumugi.platform.option", "");
            if (!furtherOption.isEmpty()) {
                command.add(furtherOption); // of the start script
            }
            String project = System.getProperty("tsumugi.project", "");
            if (!project.isEmpty()) {
                command.add("-Dtsumugi.project=" + project);
            }
            command.addAll(List.of(mainClass.getName(), "up", "--json"));
            Path events = home.run().resolve("start.events");
            // To a file, not a pipe: the process may write when we are long gone.
            Files.deleteIfExists(events);
            ProcessBuilder builder = detached(command.toArray(String[]::new))
                    .redirectOutput(ProcessBuilder.Redirect.appendTo(events.toFile()))
                    .redirectError(ProcessBuilder.Redirect.appendTo(
                            home.logs().resolve("platform.err").toFile()));
            // Not as an argument: a command line of 30 KB is no help to whoever lists processes.
            builder.environment().put("CLASSPATH", System.getProperty("java.class.path"));
            Process process = builder.start();
            Thread abandon = new Thread(
                    () -> {
                        // Its end is awaited: the next command of whoever pressed Ctrl-C shall not meet it.
                        if (process.isAlive()) {
                            stop(process.toHandle());
                            brokenOff.run();
                        }
                    },
                    "abandon-start");
            Runtime.getRuntime().addShutdownHook(abandon);
            if (follow(process, events, isLast)) {
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

    /** A process that neither Ctrl-C nor the end of the terminal reaches. */
    static ProcessBuilder detached(String... command) {
        List<String> line = new ArrayList<>();
        line.add(Files.isExecutable(SETSID) ? SETSID.toString() : "nohup");
        line.addAll(List.of(command));
        return new ProcessBuilder(line);
    }

    private static boolean follow(Process process, Path events, Predicate<String> isLast)
            throws IOException, InterruptedException {
        StringBuilder pending = new StringBuilder();
        try (Reader reader = Files.newBufferedReader(events)) {
            while (true) {
                boolean ended = process.waitFor(BETWEEN_LOOKS);
                for (int c = reader.read(); c >= 0; c = reader.read()) {
                    if (c != '\n') {
                        pending.append((char) c);
                    } else if (isLast.test(pending.toString())) {
                        return true;
                    } else {
                        pending.setLength(0);
                    }
                }
                if (ended) {
                    return false;
                }
            }
        }
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
     * Asks the process to stop and waits until it has ended.
     *
     * @return false when it had to be killed
     */
    public static boolean stop(ProcessHandle process) {
        process.destroy();
        if (awaitEnd(process, STOP_LIMIT)) {
            return true;
        }
        process.destroyForcibly();
        awaitEnd(process, KILL_LIMIT);
        return false;
    }

    private static boolean awaitEnd(ProcessHandle process, Duration limit) {
        try {
            var unused = process.onExit().get(limit.toMillis(), TimeUnit.MILLISECONDS);
            return true;
        } catch (TimeoutException e) {
            return false;
        } catch (ExecutionException e) {
            throw new LaunchException("Cannot wait for process " + process.pid() + ": " + e, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new LaunchException("Interrupted while Tsumugi stopped.", e);
        }
    }
}
