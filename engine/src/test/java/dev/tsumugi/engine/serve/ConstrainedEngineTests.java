package dev.tsumugi.engine.serve;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tsumugi.engine.constrain.Constraint;
import dev.tsumugi.engine.constrain.ConstraintException;
import dev.tsumugi.engine.constrain.Constraints;
import dev.tsumugi.engine.sample.SamplingSettings;
import dev.tsumugi.engine.sample.TokenLogprobs;
import dev.tsumugi.engine.tokenizer.GoldenFiles;
import dev.tsumugi.engine.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class ConstrainedEngineTests {
    private static final Tokenizer TOKENIZER = GoldenFiles.tokenizer("tiny-llama");
    private static final int VOCABULARY = TOKENIZER.vocabularySize();
    private static final int END = 2;
    private static final Constraints CONSTRAINTS = new Constraints(TOKENIZER);
    private static final EngineLimits LIMITS = new EngineLimits(256, 64, 4, 32, 8, 64);

    private final RecallingModel model = new RecallingModel(VOCABULARY, 256);
    private Engine engine = start(LIMITS);

    private Engine start(EngineLimits limits) {
        return Engine.start(model, TOKENIZER, Set.of(END), limits, System::nanoTime);
    }

    @AfterEach
    void close() {
        engine.close();
    }

    private static GenerationRequest request(int seed, int length, String regex, int maxTokens) {
        int[] prompt = new Random(seed).ints(length, 3, VOCABULARY).toArray();
        return GenerationRequest.of(prompt, maxTokens)
                .withSampling(SamplingSettings.atTemperature(2).withSeed(seed))
                .withConstraint(CONSTRAINTS.regex(regex));
    }

    private GenerationResult answer(GenerationRequest request) throws Exception {
        return engine.submit(request).result().get(30, SECONDS);
    }

    @Test
    void the_answer_matches_whatever_the_model_would_say() throws Exception {
        for (int seed = 0; seed < 20; seed++) {
            GenerationResult result = answer(request(seed, 10, "(yes|no), [0-9]{2,30} times[.!]", 100));
            assertThat(result.text()).matches("(yes|no), [0-9]{2,30} times[.!]");
            assertThat(result.finishReason()).isEqualTo(FinishReason.STOP);
        }
    }

    @Test
    void an_answer_that_must_end_ends_without_an_end_token_and_one_that_may_end_ends_with_it() throws Exception {
        assertThat(answer(request(1, 5, "abc", 100).withSampling(SamplingSettings.greedy()))
                        .tokens())
                .doesNotContain(END);
        GenerationResult open = answer(request(1, 5, "a*", 200));
        assertThat(open.text()).matches("a*");
        assertThat(open.tokens()[open.tokens().length - 1]).isEqualTo(END);
    }

    @Test
    void the_most_tokens_end_an_answer_that_is_not_complete() throws Exception {
        GenerationResult cut = answer(request(1, 5, "[a-z]{500}", 12));
        assertThat(cut.finishReason()).isEqualTo(FinishReason.LENGTH);
        assertThat(cut.tokens()).hasSize(12);
        assertThat(cut.text()).matches("[a-z]+");
    }

    @Test
    void preemption_and_neighbours_change_nothing() throws Exception {
        List<GenerationRequest> requests = new ArrayList<>();
        List<int[]> alone = new ArrayList<>();
        for (int i = 0; i < 24; i++) {
            GenerationRequest request = request(i, 8 + i, i % 3 == 0 ? "[0-9]{60,80}" : "(ab|cd)+\\.", 70);
            requests.add(i % 4 == 3 ? request.withConstraint(null) : request);
            alone.add(answer(requests.getLast()).tokens());
        }
        engine.close();
        engine = start(new EngineLimits(120, 40, 4, 16, 8, 64));
        List<Generation> together = new ArrayList<>();
        requests.forEach(request -> together.add(engine.submit(request)));
        for (int i = 0; i < together.size(); i++) {
            assertThat(together.get(i).result().get(30, SECONDS).tokens()).isEqualTo(alone.get(i));
        }
        assertThat(engine.status().preemptions()).isPositive();
    }

    @Test
    void guessing_ahead_changes_nothing() throws Exception {
        GenerationRequest[] requests = {
            request(1, 20, "(abcd, )*end", 100).withSampling(SamplingSettings.greedy()),
            request(2, 20, "([0-9]{3} apples, ){8}", 100),
            request(3, 20, "(yes|no)( yes| no)*", 100).withLogprobs(1)
        };
        try (Engine plain = start(LIMITS.withMaxGuesses(0))) {
            for (GenerationRequest request : requests) {
                GenerationResult expected = plain.submit(request).result().get(30, SECONDS);
                GenerationResult guessed = answer(request);
                assertThat(guessed.tokens()).isEqualTo(expected.tokens());
                assertThat(guessed.logprobs()).isEqualTo(expected.logprobs());
            }
        }
        assertThat(engine.status().rightGuesses()).isPositive();
    }

    @Test
    void penalties_choose_among_allowed_tokens_and_logprobs_are_the_models_own() throws Exception {
        GenerationRequest request = request(3, 9, "[ab]{40}", 60)
                .withSampling(SamplingSettings.greedy().withPenalties(1.3, 1, 1))
                .withLogprobs(1);
        GenerationResult result = answer(request);
        assertThat(result.text()).matches("[ab]{40}").contains("a", "b");
        double logOfAll = Math.log(Math.exp(5) + VOCABULARY - 1);
        for (TokenLogprobs step : result.logprobs()) {
            assertThat(step.top().getFirst().logprob()).isCloseTo(5 - logOfAll, within());
            assertThat(step.chosen().logprob())
                    .isLessThanOrEqualTo(step.top().getFirst().logprob());
        }
    }

    private static org.assertj.core.data.Offset<Double> within() {
        return org.assertj.core.data.Offset.offset(1e-6);
    }

    @Test
    void an_answer_that_is_too_costly_to_constrain_fails_and_the_others_go_on() throws Exception {
        Generation costly = engine.submit(request(1, 5, "[01](a?[b-y]?[c-x]?[0-9]?[d-w]?){2500}", 100));
        Generation other = engine.submit(request(2, 5, "[0-9]{20}", 100));
        assertThatThrownBy(() -> costly.result().get(30, SECONDS))
                .hasRootCauseInstanceOf(ConstraintException.class)
                .hasMessageContaining("too many ways at once");
        assertThat(other.result().get(30, SECONDS).text()).matches("[0-9]{20}");
    }

    @Test
    void a_constraint_for_another_tokenizer_is_refused() {
        Constraint other = new Constraints(GoldenFiles.tokenizer("tiny-llama")).regex("a");
        assertThatThrownBy(() -> engine.submit(request(1, 5, "a", 5).withConstraint(other)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("another tokenizer");
    }
}
