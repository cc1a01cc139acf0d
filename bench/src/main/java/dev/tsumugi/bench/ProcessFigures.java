package dev.tsumugi.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** What only a process of its own can tell: how soon it is ready, and how much memory it takes at most. */
final class ProcessFigures {
    private static final String READY = "engine ready after start";
    private static final String MEMORY = "peak memory, 16 streams";

    private final Path model;
    private final String backend;
    private final Recorder recorder;

    ProcessFigures(Path model, String backend, Recorder recorder) {
        this.model = model;
        this.backend = backend;
        this.recorder = recorder;
    }

    void run() {
        if (!recorder.wants(READY, MEMORY)) {
            return;
        }
        double[] seconds = new double[recorder.runs()];
        double[] peaks = new double[recorder.runs()];
        Path archive = null;
        try {
            archive = Files.createTempFile("tsumugi-bench-classes", ".jsa");
            Files.delete(archive);
            // The first start writes the archive of classes that later ones map, as the platform's does.
            double[] unused = once(archive);
            for (int run = 0; run < seconds.length; run++) {
                double[] measured = once(archive);
                seconds[run] = measured[0];
                peaks[run] = measured[1];
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            if (archive != null && !archive.toFile().delete()) {
                archive.toFile().deleteOnExit();
            }
        }
        recorder.record(READY, "s", seconds, -1);
        recorder.record(MEMORY, "MiB", peaks, -1);
    }

    /** @return seconds to readiness, JVM start included, and the peak of resident memory in MiB */
    private double[] once(Path archive) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules",
                "jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-XX:+AutoCreateSharedArchive",
                "-XX:SharedArchiveFile=" + archive,
                "-Xlog:disable",
                "-XX:+UseSerialGC",
                "-Xmx256m",
                "-cp",
                System.getProperty("java.class.path"),
                EngineProcess.class.getName()));
        command.addAll(Arrays.asList(model.toString(), backend, Integer.toString(recorder.threads())));
        long start = System.nanoTime();
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader lines = process.inputReader()) {
            String unused = next(lines, EngineProcess.READY);
            double seconds = (System.nanoTime() - start) / 1e9;
            double peak = Double.parseDouble(next(lines, EngineProcess.PEAK));
            BenchException.require(process.waitFor() == 0, "the engine's process failed");
            return new double[] {seconds, peak};
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new BenchException("interrupted", e);
        } finally {
            process.destroy();
        }
    }

    /** What follows {@code mark} on the first line that begins with it; log lines come between. */
    private static String next(BufferedReader lines, String mark) throws IOException {
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            if (line.startsWith(mark)) {
                return line.substring(mark.length());
            }
        }
        throw new BenchException("the engine's process ended early");
    }
}
