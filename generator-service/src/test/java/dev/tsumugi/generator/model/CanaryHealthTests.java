package dev.tsumugi.generator.model;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class CanaryHealthTests {
    private final CanaryHealth health = new CanaryHealth();

    private void answers(int count, int failures) {
        for (int i = 0; i < count; i++) {
            health.began();
        }
        for (int i = 0; i < failures; i++) {
            health.failed();
        }
    }

    @Test
    void two_failures_are_too_few_to_tell_and_three_are_enough() {
        answers(5, 2);
        assertThat(health.hasFailed()).isFalse();
        answers(0, 1);
        assertThat(health.hasFailed()).isTrue();
        assertThat(health).hasToString("3 of 5 answers broke off in the model");
    }

    @Test
    void one_failure_in_twenty_answers_is_borne() {
        answers(60, 3);
        assertThat(health.hasFailed()).isFalse();
        answers(0, 1);
        assertThat(health.hasFailed()).isTrue();
    }
}
