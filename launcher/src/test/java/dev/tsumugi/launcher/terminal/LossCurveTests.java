package dev.tsumugi.launcher.terminal;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;

class LossCurveTests {
    @Test
    void a_falling_loss_falls_from_the_upper_left_to_the_lower_right() {
        List<Double> values = DoubleStream.iterate(4, value -> value - 0.01)
                .limit(300)
                .boxed()
                .toList();
        List<String> lines = LossCurve.of(values);
        assertThat(lines).hasSize(10);
        assertThat(lines.getFirst()).startsWith("   3.980 |*");
        assertThat(lines.get(7)).startsWith("   1.030 |").endsWith("*").hasSize(70);
        assertThat(lines.getLast()).endsWith("300").hasSize(70);
    }

    @Test
    void a_flat_loss_is_a_line_and_one_value_is_no_curve() {
        assertThat(LossCurve.of(List.of(2.0, 2.0, 2.0)).getFirst()).endsWith("|***");
        assertThat(LossCurve.of(List.of(2.0))).isEmpty();
    }
}
