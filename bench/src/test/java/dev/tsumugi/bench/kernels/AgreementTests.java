package dev.tsumugi.bench.kernels;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class AgreementTests {
    private static final double TOLERANCE = 1e-3;
    private final float[] expected = new RandomNumbers().floats(1000);

    @Test
    void answers_within_the_tolerance_agree() {
        float[] actual = expected.clone();
        for (int i = 0; i < actual.length; i++) {
            actual[i] += i % 2 == 0 ? 4e-4f : -4e-4f;
        }
        assertThatCode(() -> Agreement.require(expected, actual, TOLERANCE)).doesNotThrowAnyException();
    }

    @Test
    void one_wrong_element_of_many_is_found() {
        float[] actual = expected.clone();
        actual[777] += 0.01f;
        assertThatThrownBy(() -> Agreement.require(expected, actual, TOLERANCE)).hasMessageContaining("element 777");
    }

    @Test
    void many_elements_that_are_a_little_wrong_are_found() {
        float[] actual = expected.clone();
        for (int i = 0; i < actual.length; i++) {
            actual[i] += 1e-3f;
        }
        assertThatThrownBy(() -> Agreement.require(expected, actual, TOLERANCE)).hasMessageContaining("on average");
    }

    @Test
    void what_is_no_number_is_wrong() {
        float[] actual = expected.clone();
        actual[3] = Float.NaN;
        assertThatThrownBy(() -> Agreement.require(expected, actual, TOLERANCE)).hasMessageContaining("wrong answer");
        assertThatThrownBy(() -> Agreement.require(expected, new float[999], TOLERANCE))
                .hasMessageContaining("999 numbers instead of 1000");
    }
}
