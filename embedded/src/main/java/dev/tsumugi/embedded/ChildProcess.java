package dev.tsumugi.embedded;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Predicate;

/**
 * A server that runs as a child and ends with this process: it holds the reading end of a pipe whose writing end is ours, and stops when
 * the pipe is closed, which the operating system does even when this process is killed. Its output goes to a log file, and tells when it is
 * ready.
 */
final class ChildProcess {
    private static final long LARGEST_LOG = 8L << 20;
    private static final int REMEMBERED_LINES = 12;
    /** Where it exists, keeps Ctrl-C in a terminal from reaching the child: the parent stops it when its own work has ended. */
    private static final Path SETSID = Path.of("/usr/bin/setsid");

    private final String name;
    private final Process process;
    private final Path log;
    private final Deque<String> lastLines = new ArrayDeque<>();
    private final CompletableFuture<Boolean> ready = new CompletableFuture<>();

    private ChildProcess(String name, Process process, Path log) {
        this.name = name;
        this.process = process;
        this.log = log;
    }

    /**
     * Starts {@code command} and reads its output on a thread of its own.
     *
     * @param environment added to that of this process
     * @param isReady true for the line of output that says that the server accepts connections
     */
    static ChildProcess start(
            String name,
            List<String> command,
            Map<String, String> environment,
            Path folder,
            Path log,
            Predicate<String> isReady)
            throws IOException {
        List<String> whole = new ArrayList<>();
        if (Files.isExecutable(SETSID)) {
            whole.add(SETSID.toString());
        }
        whole.addAll(command);
        BufferedWriter writer = openLog(log);
        ProcessBuilder builder =
                new ProcessBuilder(whole).directory(folder.toFile()).redirectErrorStream(true);
        builder.environment().putAll(environment);
        builder.environment().put("LC_ALL", "C"); // the lines that we wait for are the English ones
        ChildProcess child = new ChildProcess(name, builder.start(), log);
        Thread.ofPlatform().name(name + "-output").daemon().start(() -> child.pump(writer, isReady));
        return child;
    }

    private static BufferedWriter openLog(Path log) throws IOException {
        Files.createDirectories(log.toAbsolutePath().getParent());
        if (Files.exists(log) && Files.size(log) > LARGEST_LOG) {
            Files.move(log, log.resolveSibling(log.getFileName() + ".1"), StandardCopyOption.REPLACE_EXISTING);
        }
        return Files.newBufferedWriter(log, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    private void pump(BufferedWriter writer, Predicate<String> isReady) {
        try (BufferedReader reader =
                        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
                writer) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                writer.write(line);
                writer.newLine();
                writer.flush();
                synchronized (lastLines) {
                    lastLines.addLast(line);
                    if (lastLines.size() > REMEMBERED_LINES) {
                        lastLines.removeFirst();
                    }
                }
                if (isReady.test(line)) {
                    ready.complete(true);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            ready.complete(false); // the output has ended, and so has the server
        }
    }

    /**
     * Waits until the server is ready.
     *
     * @return false when it ended instead; {@link #lastOutput()} then says why
     * @throws EmbeddedStartException when neither happens in time
     */
    boolean awaitReady(Duration limit) {
        try {
            return ready.get(limit.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            stop(Duration.ofSeconds(5));
            throw new EmbeddedStartException(
                    name + " was not ready after " + limit.toSeconds() + " s. Its log is " + log + ". Last lines:\n"
                            + lastOutput(),
                    e);
        } catch (ExecutionException e) {
            throw new EmbeddedStartException("The output of " + name + " cannot be read", e);
        } catch (InterruptedException e) {
            stop(Duration.ofSeconds(5));
            Thread.currentThread().interrupt();
            throw new EmbeddedStartException("Interrupted while " + name + " started", e);
        }
    }

    String lastOutput() {
        synchronized (lastLines) {
            return String.join("\n", lastLines);
        }
    }

    boolean isAlive() {
        return process.isAlive();
    }

    long pid() {
        return process.pid();
    }

    Process process() {
        return process;
    }

    /** Asks the server to stop by closing the pipe, waits, and kills it and its children when that takes too long. */
    void stop(Duration limit) {
        try {
            process.getOutputStream().close();
        } catch (IOException e) {
            // it has ended already
        }
        boolean ended = false;
        boolean interrupted = false;
        try {
            ended = process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            interrupted = true;
        }
        if (!ended) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
