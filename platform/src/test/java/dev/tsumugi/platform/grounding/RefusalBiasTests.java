package dev.tsumugi.platform.grounding;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.tsumugi.platform.grounding.RefusalBias.Asked;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RefusalBiasTests {

    /** Answerable ones lean to refuse by -4 to -2, the others by {@code from} to {@code from + 2}. */
    private static List<Asked> asked(int ofEach, double from) {
        List<Asked> asked = new ArrayList<>();
        for (int i = 0; i < ofEach; i++) {
            double step = 2.0 * i / ofEach;
            asked.add(new Asked(true, true, -4 + step, 0.8));
            asked.add(new Asked(false, true, from + step, 0));
        }
        return asked;
    }

    @Test
    void one_that_refuses_too_seldom_is_tuned_to_tell_both_kinds_apart() {
        List<Asked> asked = asked(40, -1.9);
        assertThat(RefusalBias.outcome(asked, 0).rightRefusals()).isLessThan(0.1);
        double bias = RefusalBias.tuned(asked);
        RefusalBias.Outcome tuned = RefusalBias.outcome(asked, bias);
        assertThat(bias).isBetween(1.9, 2.05);
        assertThat(tuned.f1()).isCloseTo(0.8, within(1e-9));
        assertThat(tuned.rightRefusals()).isEqualTo(1);
        assertThat(tuned.wrongRefusals()).isZero();
    }

    @Test
    void one_that_refuses_too_readily_is_held_back() {
        List<Asked> asked = asked(40, 2);
        List<Asked> shifted = asked.stream()
                .map(one -> new Asked(one.answerable(), true, one.margin() + 5, one.f1()))
                .toList();
        assertThat(RefusalBias.outcome(shifted, 0).wrongRefusals()).isEqualTo(1);
        double bias = RefusalBias.tuned(shifted);
        assertThat(bias).isNegative();
        RefusalBias.Outcome tuned = RefusalBias.outcome(shifted, bias);
        assertThat(tuned.f1()).isCloseTo(0.8, within(1e-9));
        assertThat(tuned.rightRefusals()).isEqualTo(1);
        assertThat(tuned.balance()).isCloseTo(3.25 * 0.8 / (2.25 * 0.8 + 1), within(1e-9));
    }

    @Test
    void one_that_is_right_already_and_one_that_was_hardly_asked_stay_as_they_are() {
        assertThat(RefusalBias.tuned(asked(40, 1))).isZero();
        assertThat(RefusalBias.tuned(asked(19, -1.9))).isZero();
    }

    @Test
    void what_nothing_supports_is_refused_whatever_the_bias() {
        RefusalBias.Outcome outcome = RefusalBias.outcome(List.of(new Asked(true, false, -9, 0.8)), -5);
        assertThat(outcome.wrongRefusals()).isEqualTo(1);
        assertThat(outcome.f1()).isZero();
    }

    @Test
    void it_falls_on_the_first_token_of_the_refusal_in_the_language_of_the_question() {
        assertThat(RefusalBias.firstToken("Who?", 2, text -> new int[] {text.charAt(0), 7}))
                .isEqualTo(Map.of((int) 'T', 2f));
        assertThat(RefusalBias.firstToken("誰ですか？", 2, text -> new int[] {text.charAt(0), 7}))
                .isEqualTo(Map.of((int) 'こ', 2f));
        assertThat(RefusalBias.firstToken("Who?", 0, text -> new int[] {1})).isEmpty();
    }

    @Test
    void an_adapter_carries_it_as_text() {
        assertThat(RefusalBias.of(Map.of("format", "pt"))).isZero();
        assertThat(RefusalBias.of(RefusalBias.metadata(-1.25))).isEqualTo(-1.25f);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "much", "NaN", "Infinity", "31"})
    void what_is_no_such_number_is_refused_by_name(String text) {
        assertThatThrownBy(() -> RefusalBias.of(Map.of(RefusalBias.KEY, text)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("tsumugi.refusal_bias is '" + text + "'");
    }
}
