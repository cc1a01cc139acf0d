package dev.tsumugi.bench;

import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.results.IterationResult;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.format.OutputFormatFactory;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/**
 * Times kernels by JMH, each in a JVM of its own with this one's options: what HotSpot makes of a kernel depends on what ran before it in the same
 * JVM. The kernel's own set-up checks its answer.
 *
 * @param warmUps iterations that are not counted
 * @param iteration how long each calls the kernel again and again
 */
record KernelTimer(int warmUps, TimeValue iteration) {
    /** HotSpot's last compilation comes within this time, and each measurement has many calls. */
    static final KernelTimer DEFAULT = new KernelTimer(3, TimeValue.milliseconds(200));

    /**
     * Seconds that one call takes, by iteration.
     *
     * @throws BenchException when the kernel fails, or its answer is wrong
     */
    double[] seconds(KernelCase kernel, int iterations) {
        // Other programs' JMH disturbs no more than other programs; figures say when there were any.
        System.setProperty("jmh.ignoreLock", "true");
        ChainedOptionsBuilder options = new OptionsBuilder()
                .include("^" + Pattern.quote(kernel.benchmark()) + "$")
                .mode(Mode.AverageTime)
                .timeUnit(TimeUnit.NANOSECONDS)
                .forks(1)
                .threads(kernel.callers())
                .warmupIterations(warmUps)
                .warmupTime(iteration)
                .measurementIterations(iterations)
                .measurementTime(iteration)
                .shouldFailOnError(true);
        kernel.parameters().forEach((name, value) -> options.param(name, value.toString()));
        PrintStream silence = new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8);
        try {
            RunResult result = new Runner(
                            options.build(), OutputFormatFactory.createFormatInstance(silence, VerboseMode.SILENT))
                    .runSingle();
            return result.getBenchmarkResults().iterator().next().getIterationResults().stream()
                    .map(IterationResult::getPrimaryResult)
                    .mapToDouble(nanos -> nanos.getScore() / 1e9)
                    .toArray();
        } catch (RunnerException e) {
            throw new BenchException(kernel.name() + ": " + rootMessage(e), e);
        }
    }

    private static String rootMessage(Throwable e) {
        Throwable root = e;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        if (root.getSuppressed().length > 0) {
            root = root.getSuppressed()[0];
        }
        return root.getMessage() == null ? root.toString() : root.getMessage();
    }
}
