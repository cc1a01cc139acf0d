package dev.tsumugi.bench;

import java.util.Set;
import java.util.function.Consumer;
import java.util.function.DoubleSupplier;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/** Takes the figures of the engine that are asked for, each several times after a warm-up, and hands them on. */
final class Recorder {
    /** The JVM compiles while it runs: what is measured is a server that has been up for a moment. */
    static final int WARM_UPS = 2;

    private final int runs;
    private final int threads;
    private final Pattern wanted;
    private final Consumer<Figure> figures;

    /** @param wanted found somewhere in the names of the figures to take */
    Recorder(int runs, int threads, Pattern wanted, Consumer<Figure> figures) {
        this.runs = runs;
        this.threads = threads;
        this.wanted = wanted;
        this.figures = figures;
    }

    /** Measurements of a figure. */
    int runs() {
        return runs;
    }

    int threads() {
        return threads;
    }

    /** Whether any of these figures is asked for. */
    boolean wants(String... names) {
        for (String name : names) {
            if (wanted.matcher(name).find()) {
                return true;
            }
        }
        return false;
    }

    /** Takes one figure of this process, if it is asked for. */
    void measure(String name, String unit, DoubleSupplier once) {
        if (!wants(name)) {
            return;
        }
        for (int i = 0; i < WARM_UPS; i++) {
            double unused = once.getAsDouble();
        }
        Processors processors = thisProcess();
        double[] values =
                IntStream.range(0, runs).mapToDouble(i -> once.getAsDouble()).toArray();
        record(name, unit, values, processors.otherCores());
    }

    /** Hands on values that were taken in another way, if they are asked for. */
    void record(String name, String unit, double[] values, double otherCores) {
        if (wants(name)) {
            figures.accept(new Figure(name, unit, values, threads, otherCores));
        }
    }

    static Processors thisProcess() {
        return new Processors(Set.of(ProcessHandle.current().pid()));
    }
}
