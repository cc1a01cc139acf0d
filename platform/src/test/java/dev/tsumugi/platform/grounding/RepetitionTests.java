package dev.tsumugi.platform.grounding;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class RepetitionTests {

    @Test
    void words_that_come_three_times_in_a_row_are_kept_once() {
        String stuck = "It is the gluon gluon gluon";
        assertThat(Repetition.endsWithOne(stuck)).isTrue();
        assertThat(Repetition.withoutOne(stuck)).isEqualTo("It is the gluon");
        assertThat(Repetition.withoutOne("木曽川です。木曽川です。木曽川です。")).isEqualTo("木曽川です。");
    }

    @Test
    void ordinary_text_and_ruled_lines_are_left_alone() {
        for (String text : new String[] {"", "a", "It is what it is.", "----------", "1000000", "no no"}) {
            assertThat(Repetition.endsWithOne(text)).as(text).isFalse();
            assertThat(Repetition.withoutOne(text)).isEqualTo(text);
        }
    }
}
