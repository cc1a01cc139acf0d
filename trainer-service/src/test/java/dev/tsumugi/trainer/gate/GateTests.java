package dev.tsumugi.trainer.gate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

class GateTests {
    private static final GateProperties MARGINS = new GateProperties(20, 400, 0.02, 0.02, 0.8, 0.05, 0.02, 0.1, 0.2);

    private final Gate gate = new Gate(MARGINS);

    @Test
    void clearly_better_answers_with_equal_refusals_are_promoted() {
        GateReport report = decide(model(60, 0.8, 40, 0.7), model(60, 0.4, 40, 0.7));
        assertThat(report.promoted()).as(report.reasons().toString()).isTrue();
        assertThat(report.reasons().getFirst()).contains("answers clearly better: F1 0.800 against 0.400");
        assertThat(report.f1().low()).isPositive();
    }

    @Test
    void a_model_that_always_refuses_is_not_promoted_though_it_refuses_rightly() {
        GateReport report = decide(model(60, 0, 40, 1), model(60, 0.4, 40, 0.3));
        assertThat(report.promoted()).isFalse();
        assertThat(report.reasons().getFirst()).contains("It answers worse: F1 0.000 against 0.400");
    }

    @Test
    void a_model_that_answers_everything_is_not_promoted_though_it_answers_better() {
        GateReport report = decide(model(60, 0.8, 40, 0.1), model(60, 0.4, 40, 0.6));
        assertThat(report.promoted()).isFalse();
        assertThat(report.reasons().getFirst()).contains("It answers what cannot be answered");
    }

    @Test
    void against_a_champion_that_always_refuses_enough_right_refusals_suffice() {
        assertThat(decide(model(60, 0.7, 40, 0.85), model(60, 0, 40, 1)).promoted())
                .isTrue();
        assertThat(decide(model(60, 0.7, 40, 0.75), model(60, 0, 40, 1)).promoted())
                .isFalse();
    }

    @Test
    void what_is_as_good_or_only_better_by_chance_is_not_promoted() {
        assertThat(decide(model(60, 0.5, 40, 0.5), model(60, 0.5, 40, 0.5)).reasons())
                .singleElement()
                .asString()
                .contains("clearly better on neither side");
        List<Judged> lucky = new ArrayList<>(model(30, 0.4, 0, 0).answers());
        lucky.set(0, answer(0, 1));
        assertThat(decide(new Measured(lucky, List.of(2.0), 0), model(30, 0.4, 0, 0))
                        .promoted())
                .isFalse();
    }

    @Test
    void too_few_questions_forgetting_and_a_higher_loss_are_reasons_against() {
        assertThat(decide(model(19, 1, 40, 1), model(19, 0, 40, 0)).reasons().getFirst())
                .contains("19 questions that can be answered; 20 are needed");
        Measured forgetful = new Measured(model(60, 0.8, 0, 0).answers(), List.of(2.5), 0);
        assertThat(decide(forgetful, model(60, 0.4, 0, 0)).reasons().getFirst()).contains("It forgets");
        Measured sure = new Measured(
                model(60, 0.8, 0, 0).answers().stream()
                        .map(one -> new Judged(
                                one.id(),
                                one.question(),
                                true,
                                one.wanted(),
                                1.2,
                                one.answer(),
                                false,
                                one.f1(),
                                false,
                                null))
                        .toList(),
                List.of(2.0),
                0);
        assertThat(decide(sure, model(60, 0.4, 0, 0)).reasons().getFirst()).contains("Its loss on held-out answers");
        Measured broken = new Measured(model(60, 0.8, 0, 0).answers(), List.of(Double.NaN), 0);
        assertThat(decide(broken, model(60, 0.4, 0, 0)).promoted()).isFalse();
    }

    @Test
    void a_query_adapter_with_which_questions_find_less_is_refused_and_one_that_finds_clearly_more_counts() {
        Measured same = model(60, 0.5, 40, 0.5);
        double[] all = new double[60];
        Arrays.fill(all, 1);
        double[] half = new double[60];
        Arrays.fill(half, 0, 30, 1);
        GateReport better =
                gate.decide("candidate", same, "champion", same, List.of(2.0), GateReport.Retrieval.of(5, all, half));
        assertThat(better.promoted()).isTrue();
        assertThat(better.reasons().getFirst()).contains("find their passages more often: 1.000 against 0.500");
        GateReport worse = gate.decide(
                "candidate",
                model(60, 0.9, 40, 0.9),
                "champion",
                same,
                List.of(2.0),
                GateReport.Retrieval.of(5, half, all));
        assertThat(worse.promoted()).isFalse();
        assertThat(worse.reasons().getFirst()).contains("find their passages less often");
    }

    @Test
    void models_that_were_asked_different_questions_cannot_be_compared() {
        Measured one = model(30, 0.5, 0, 0);
        List<Judged> other = new ArrayList<>(one.answers());
        Collections.swap(other, 0, 1);
        assertThatThrownBy(() -> decide(one, new Measured(other, List.of(2.0), 0)))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void the_bootstrap_is_repeatable_and_brackets_the_mean() {
        double[] better = new double[50];
        double[] worse = new double[50];
        for (int i = 0; i < 50; i++) {
            better[i] = i % 3 == 0 ? 1 : 0.2;
            worse[i] = i % 5 == 0 ? 0.5 : 0.1;
        }
        PairedBootstrap once = PairedBootstrap.of(better, worse, 7);
        assertThat(PairedBootstrap.of(better, worse, 7)).isEqualTo(once);
        assertThat(once.low()).isLessThan(once.mean()).isPositive();
        assertThat(once.high()).isGreaterThan(once.mean());
        assertThat(PairedBootstrap.of(worse, better, 7).high()).isNegative();
    }

    private GateReport decide(Measured candidate, Measured champion) {
        return gate.decide("candidate", candidate, "champion", champion, List.of(2.0), null);
    }

    /** With these means, as nearly as they can be. */
    private static Measured model(int answerable, double f1, int unanswerable, double rightRefusals) {
        List<Judged> answers = new ArrayList<>();
        for (int i = 0; i < answerable; i++) {
            answers.add(answer(i, f1));
        }
        for (int i = 0; i < unanswerable; i++) {
            boolean refused = i < Math.round(rightRefusals * unanswerable);
            answers.add(new Judged("u" + i, "Why?", false, "", 1, "x", refused, 0, false, null));
        }
        return new Measured(answers, List.of(2.0), 0);
    }

    private static Judged answer(int i, double f1) {
        return new Judged("a" + i, "Who?", true, "y", 1, "x", f1 == 0, f1, f1 == 1, null);
    }
}
