package dev.tsumugi.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.ToDoubleFunction;
import org.springframework.util.FileSystemUtils;

/** What only a process of its own can tell: how soon it is ready, and how much memory it takes at most. */
final class ProcessFigures {
    private static final String READY = "engine ready after start";
    private static final String FIRST_TOKEN = "start to first token";
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
        if (!recorder.wants(READY, FIRST_TOKEN, MEMORY)) {
            return;
        }
        Measured[] runs = new Measured[recorder.runs()];
        try {
            Path folder = Files.createTempDirectory("tsumugi-bench");
            try {
                // The first start writes the archive of classes and the packed weights that later ones read, as the
                // platform's does.
                Measured unused = once(folder);
                for (int run = 0; run < runs.length; run++) {
                    runs[run] = once(folder);
                }
            } finally {
                FileSystemUtils.deleteRecursively(folder);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        recorder.record(READY, "s", of(runs, Measured::ready), -1);
        recorder.record(FIRST_TOKEN, "s", of(runs, Measured::firstToken), -1);
        recorder.record(MEMORY, "MiB", of(runs, Measured::peak), -1);
    }

    /**
     * One process.
     *
     * @param ready seconds until it takes requests, the start of the JVM included
     * @param firstToken seconds until it has given a token, likewise
     * @param peak of resident memory in MiB
     */
    private record Measured(double ready, double firstToken, double peak) {}

    private static double[] of(Measured[] runs, ToDoubleFunction<Measured> figure) {
        return Arrays.stream(runs).mapToDouble(figure).toArray();
    }

    private Measured once(Path folder) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules",
                "jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-XX:+AutoCreateSharedArchive",
                "-XX:SharedArchiveFile=" + folder.resolve("classes.jsa"),
                "-Xlog:disable",
                "-XX:+UseSerialGC",
                "-Xmx256m",
                "-cp",
                System.getProperty("java.class.path"),
                EngineProcess.class.getName()));
        command.addAll(
                Arrays.asList(model.toString(), backend, Integer.toString(recorder.threads()), folder.toString()));
        long start = System.nanoTime();
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader lines = process.inputReader()) {
            String unused = next(lines, EngineProcess.READY);
            double ready = (System.nanoTime() - start) / 1e9;
            unused = next(lines, EngineProcess.FIRST_TOKEN);
            double firstToken = (System.nanoTime() - start) / 1e9;
            double peak = Double.parseDouble(next(lines, EngineProcess.PEAK));
            BenchException.require(process.waitFor() == 0, "the engine's process failed");
            return new Measured(ready, firstToken, peak);
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
