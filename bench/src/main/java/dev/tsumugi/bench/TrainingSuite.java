package dev.tsumugi.bench;

import dev.tsumugi.embedded.downloads.Downloads;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Whole training steps and the memory that they take, each kind of base weights in a process of its own. */
final class TrainingSuite implements Suite {
    private static final String STEP = ": training step";
    private static final String MEMORY = ": peak memory";
    /** Names of {@link TrainingProcess}'s base weights, as other programs call the same, and their figures. */
    private static final Map<String, String> BASES = Map.of("NF4", "QLoRA NF4", "SERVED", "QLoRA, served weights");

    private final @Nullable Path path;
    private final String backend;
    private final int threads;

    TrainingSuite(@Nullable Path path, String backend, int threads) {
        this.path = path;
        this.backend = backend;
        this.threads = threads;
    }

    @Override
    public String name() {
        return "training";
    }

    @Override
    public String description() {
        return "Training: backend " + backend + ", " + threads + " threads, " + TrainingProcess.SEQUENCES + " x "
                + TrainingProcess.LENGTH + " tokens, r=8, all linear layers, AdamW";
    }

    @Override
    public void run(int runs, Consumer<Figure> figures) {
        Path model = path == null ? Downloads.inDefaultCache().languageModel() : path;
        for (String base : List.of("NF4", "SERVED")) {
            List<Double> lines = measure(model, base, runs);
            double[] speeds =
                    lines.subList(0, runs).stream().mapToDouble(x -> x).toArray();
            double otherCores = lines.get(runs);
            figures.accept(new Figure(BASES.get(base) + STEP, "tok/s", speeds, threads, otherCores));
            figures.accept(new Figure(
                    BASES.get(base) + MEMORY, "MiB", new double[] {lines.get(runs + 1)}, threads, otherCores));
        }
    }

    private List<Double> measure(Path model, String base, int runs) {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules",
                "jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-Xlog:disable",
                "-XX:+UseSerialGC",
                "-Xmx96m",
                "-Xmn16m",
                "-cp",
                System.getProperty("java.class.path"),
                TrainingProcess.class.getName()));
        command.addAll(
                Arrays.asList(model.toString(), backend, Integer.toString(threads), base, Integer.toString(runs)));
        Process process = null;
        try {
            process = new ProcessBuilder(command)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            List<Double> values = new ArrayList<>();
            try (BufferedReader lines = process.inputReader()) {
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                    if (line.matches("[0-9.E-]+")) {
                        values.add(Double.parseDouble(line));
                    }
                }
            }
            BenchException.require(
                    process.waitFor() == 0 && values.size() == runs + 2, "the training process failed on " + base);
            return values;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new BenchException("interrupted", e);
        } finally {
            if (process != null) {
                process.destroy();
            }
        }
    }
}
