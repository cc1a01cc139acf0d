package dev.tsumugi.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.tsumugi.engine.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.openjdk.jmh.runner.options.TimeValue;

/** Kernels timed by JMH in JVMs of their own, as briefly as can be. */
class KernelSuiteIT {
    private static final KernelTimer SHORT = new KernelTimer(0, TimeValue.milliseconds(20));
    private static final String GEMV = "kernel: decode GEMV Q4_1 576x1536, 2 threads";

    @Test
    void a_kernel_is_told_in_bytes_and_operations_and_beside_the_peak() {
        List<Figure> figures = new ArrayList<>();
        new KernelSuite(2, Pattern.compile("GEMV Q4_1 576x1536, 2 threads|peak memory read"), SHORT)
                .run(2, figures::add);
        assertThat(figures)
                .extracting(figure -> figure.name() + " [" + figure.unit() + "]")
                .contains(
                        "kernel: peak memory read, 2 threads [GB/s]",
                        GEMV + " [GB/s]",
                        GEMV + ", arithmetic [GFLOP/s]",
                        GEMV + ", of memory bandwidth [%]");
        assertThat(figures).allSatisfy(figure -> {
            assertThat(figure.runs()).hasSize(2);
            assertThat(figure.min()).isPositive();
        });
        double peak = figures.getFirst().median();
        double moved = figures.get(1).median();
        assertThat(figures.get(3).median()).isCloseTo(100 * moved / peak, within(1e-6));
    }

    @Test
    void only_the_figures_asked_for_are_taken() {
        List<Figure> figures = new ArrayList<>();
        new KernelSuite(1, Pattern.compile("rope .* threads$"), SHORT).run(1, figures::add);
        assertThat(figures).extracting(Figure::name).containsExactly("kernel: rope 512x576, 1 threads");
    }

    @Test
    void what_goes_wrong_in_the_other_jvm_is_said_here() {
        KernelCase impossible = KernelCase.gemv("no rows", 1, DType.Q8_0, 8, 32, 0);
        assertThatThrownBy(() -> SHORT.seconds(impossible, 1))
                .isInstanceOf(BenchException.class)
                .hasMessageStartingWith("no rows: wrong answer");
    }
}
