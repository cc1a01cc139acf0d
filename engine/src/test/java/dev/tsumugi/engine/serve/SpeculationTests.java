package dev.tsumugi.engine.serve;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.awaitility.Awaitility.await;

import dev.tsumugi.engine.sample.Sampler;
import dev.tsumugi.engine.sample.SamplingSettings;
import dev.tsumugi.engine.serve.Scheduler.Share;
import dev.tsumugi.engine.tokenizer.GoldenFiles;
import dev.tsumugi.engine.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class SpeculationTests {
    private static final Tokenizer TOKENIZER = GoldenFiles.tokenizer("tiny-llama");
    private static final int VOCABULARY = TOKENIZER.vocabularySize();
    private static final int BLOCK = 4;
    private static final EngineLimits LIMITS = new EngineLimits(256, 128, BLOCK, 64, 8, 64);

    private final RecallingModel quoting = new RecallingModel(VOCABULARY, 256, 16);

    private static int[] prompt(int seed, int length) {
        return new Random(seed).ints(length, 3, VOCABULARY).toArray();
    }

    private Engine start(EngineLimits limits) {
        // Every step takes as long, so that guessing pays whatever else this machine does.
        AtomicLong clock = new AtomicLong();
        return Engine.start(quoting, TOKENIZER, Set.of(), limits, () -> clock.addAndGet(1000));
    }

    private static GenerationResult answer(Engine engine, GenerationRequest request) throws Exception {
        return engine.submit(request).result().get(30, SECONDS);
    }

    @Test
    void an_answer_that_quotes_takes_fewer_steps_and_has_the_same_tokens() throws Exception {
        try (Engine engine = start(LIMITS)) {
            int[] prompt = prompt(1, 40);
            assertThat(answer(engine, GenerationRequest.of(prompt, 200)).tokens())
                    .isEqualTo(quoting.answer(prompt, 200));
            await().untilAsserted(() -> assertThat(engine.status().freeBlocks()).isEqualTo(128));
            EngineStatus status = engine.status();
            assertThat(status.steps()).isLessThan(120);
            assertThat(status.rightGuesses()).isGreaterThan(80).isLessThan(status.guessedTokens() + 1);
            assertThat(status.generatedTokens()).isEqualTo(200);
            assertThat(status.computedTokens())
                    .as("the last token is never computed, right guesses are not computed again")
                    .isEqualTo(40 + 199 + status.guessedTokens() - status.rightGuesses());
        }
    }

    @Test
    void many_at_once_in_a_small_cache_get_the_tokens_they_would_get_alone() throws Exception {
        try (Engine engine = start(new EngineLimits(120, 40, BLOCK, 16, 8, 64))) {
            List<Generation> generations = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                generations.add(engine.submit(GenerationRequest.of(prompt(i % 5, 10 + i), 60)));
            }
            for (int i = 0; i < 40; i++) {
                assertThat(generations.get(i).result().get(30, SECONDS).tokens())
                        .as("request %d", i)
                        .isEqualTo(quoting.answer(prompt(i % 5, 10 + i), 60));
            }
            await().untilAsserted(() -> assertThat(engine.status().freeBlocks()).isEqualTo(40));
            assertThat(engine.status().preemptions()).isPositive();
            assertThat(engine.status().rightGuesses()).isPositive();
        }
    }

    @Test
    void stop_strings_penalties_logprobs_and_seeds_say_the_same_with_and_without() throws Exception {
        int[] prompt = prompt(3, 60);
        List<GenerationRequest> requests = new ArrayList<>();
        requests.add(GenerationRequest.of(prompt, 150).withLogprobs(3));
        requests.add(GenerationRequest.of(prompt, 150)
                .withSampling(SamplingSettings.greedy().withPenalties(1.3, 0.2, 0.1)));
        for (int seed = 0; seed < 5; seed++) {
            requests.add(GenerationRequest.of(prompt, 150)
                    .withSampling(SamplingSettings.atTemperature(0.9).withSeed(seed)));
        }
        try (Engine with = start(LIMITS);
                Engine without = start(LIMITS.withMaxGuesses(0))) {
            String text = answer(without, requests.getFirst()).text();
            requests.add(GenerationRequest.of(prompt, 150).withStop(List.of(text.substring(70, 78))));
            for (GenerationRequest request : requests) {
                GenerationResult expected = answer(without, request);
                GenerationResult guessed = answer(with, request);
                assertThat(guessed.tokens()).isEqualTo(expected.tokens());
                assertThat(guessed.text()).isEqualTo(expected.text());
                assertThat(guessed.finishReason()).isEqualTo(expected.finishReason());
                assertThat(guessed.logprobs()).isEqualTo(expected.logprobs());
            }
            assertThat(without.status().guessedTokens()).isZero();
            assertThat(with.status().rightGuesses()).isPositive();
        }
    }

    /**
     * The model gives one token the logit 5 and all others 0, so whether it is chosen is a coin of known probability at each position, and all
     * others are alike. Pearson's chi-squared over what 3000 seeds choose.
     */
    @Test
    void sampled_tokens_have_the_distribution_of_the_model() throws Exception {
        int seeds = 3000;
        int[] prompt = IntStream.range(0, 64).map(i -> 5 + i % 16).toArray();
        int[] favourites = new int[2];
        int[] others = new int[4];
        try (Engine engine = start(LIMITS.withMaxRunning(2).withMaxQueued(seeds))) {
            List<Generation> generations = IntStream.range(0, seeds)
                    .mapToObj(seed -> engine.submit(GenerationRequest.of(prompt, 6)
                            .withSampling(SamplingSettings.atTemperature(0.8).withSeed(seed))))
                    .toList();
            for (Generation generation : generations) {
                int[] tokens = generation.result().get(50, SECONDS).tokens();
                int[] all = Arrays.copyOf(prompt, prompt.length + tokens.length);
                for (int i = 0; i < tokens.length; i++) {
                    int favourite = quoting.after(all, prompt.length + i);
                    favourites[tokens[i] == favourite ? 1 : 0]++;
                    if (tokens[i] != favourite) {
                        others[(tokens[i] - (tokens[i] > favourite ? 1 : 0)) * 4 / (VOCABULARY - 1)]++;
                    }
                    all[prompt.length + i] = tokens[i];
                }
            }
            assertThat(engine.status().rightGuesses()).as("accepted").isGreaterThan(1000);
            assertThat(engine.status().guessedTokens() - engine.status().rightGuesses())
                    .as("rejected")
                    .isGreaterThan(1000);
        }
        double favourite = Math.exp(5 / 0.8) / (Math.exp(5 / 0.8) + VOCABULARY - 1);
        int total = 6 * seeds;
        // Above these, p < 0.001 with 1 and 3 degrees of freedom.
        assertThat(chiSquared(favourites, new double[] {total * (1 - favourite), total * favourite}))
                .isLessThan(10.8);
        int rest = Arrays.stream(others).sum();
        double[] expected = new double[4];
        for (int id = 0; id < VOCABULARY - 1; id++) {
            expected[id * 4 / (VOCABULARY - 1)] += rest / (VOCABULARY - 1.0);
        }
        assertThat(chiSquared(others, expected)).isLessThan(16.3);
    }

    private static double chiSquared(int[] observed, double[] expected) {
        double sum = 0;
        for (int i = 0; i < observed.length; i++) {
            sum += (observed[i] - expected[i]) * (observed[i] - expected[i]) / expected[i];
        }
        return sum;
    }

    @Test
    void the_guess_is_what_followed_the_longest_agreement() {
        int[] tokens = {1, 2, 3, 4, 9, 2, 3, 5, 6, 1, 2, 3, 0, 0, 0};
        assertThat(PromptLookup.guess(tokens, 12, 3)).isEqualTo(3);
        assertThat(Arrays.copyOfRange(tokens, 12, 15)).containsExactly(4, 9, 2);
        assertThat(PromptLookup.guess(new int[] {1, 2, 3, 0}, 3, 1)).isZero();
        int[] repeating = {7, 8, 7, 8, 7, 0, 0, 0, 0};
        assertThat(PromptLookup.guess(repeating, 5, 4)).isEqualTo(3);
        assertThat(Arrays.copyOfRange(repeating, 5, 9)).containsExactly(8, 7, 8, 7);
    }

    @Test
    void wrong_guesses_leave_no_block_and_no_name_behind() {
        BlockPool pool = new BlockPool(8);
        Scheduler scheduler = new Scheduler(pool, 16, 2);
        Sequence sequence = new Sequence(new int[] {1, 2, 3, 4, 1, 2, 3}, BLOCK, "");
        scheduler.submit(sequence);
        scheduler.computed(scheduler.plan().getFirst());
        sequence.append(4);
        assertThat(sequence.guess(6)).isEqualTo(6);
        Share share = scheduler.withGuesses(scheduler.plan().getFirst(), 6);
        assertThat(Scheduler.batch(List.of(share)).tokens()).containsExactly(4, 1, 2, 3, 4, 1, 2);
        assertThat(Scheduler.batch(List.of(share)).outputs()).containsExactly(0, 1, 2, 3, 4, 5, 6);
        assertThat(pool.available()).isEqualTo(4);

        scheduler.computed(share);
        sequence.append(1);
        assertThat(sequence.lastWasGuessed()).isTrue();
        scheduler.computedGuess(share);
        sequence.append(9);
        assertThat(sequence.lastWasGuessed()).isFalse();
        scheduler.settle(share);

        assertThat(pool.available()).isEqualTo(5);
        assertThat(sequence.computed()).isEqualTo(9);
        assertThat(sequence.generated()).containsExactly(4, 1, 9);
        BlockHash second = BlockHash.root("").next(new int[] {1, 2, 3, 4}, 0, 4).next(new int[] {1, 2, 3, 4}, 0, 4);
        assertThat(pool.takeCached(second)).isNotEqualTo(BlockPool.NONE);
        assertThat(pool.takeCached(second.next(new int[] {1, 2, 3, 4}, 0, 4))).isEqualTo(BlockPool.NONE);
    }

    @Test
    void guesses_that_fail_are_given_up_and_come_back_when_the_text_quotes_again() {
        Speculation speculation = new Speculation(6, Integer.MAX_VALUE);
        Sequence sequence = new Sequence(prompt(5, 32), BLOCK, "");
        List<Share> shares = List.of(new Share(sequence, 1));
        int position = 0;
        assertThat(follow(speculation, shares, sequence, 0)).isPositive();
        for (int i = 0; i < 30; i++) {
            // Always a word of the prompt, never the one that follows there.
            position = (position + 7) % 32;
            follow(speculation, shares, sequence, position);
        }
        assertThat(follow(speculation, shares, sequence, 3)).isZero();
        int guesses = 0;
        for (int i = 4; i < 14; i++) {
            guesses = follow(speculation, shares, sequence, i);
        }
        assertThat(guesses).isGreaterThan(2);
    }

    /** How many guesses are made once the sequence goes on with what stands at {@code position} of its prompt. */
    private static int follow(Speculation speculation, List<Share> shares, Sequence sequence, int position) {
        sequence.append(sequence.token(position));
        sequence.advance(0, new BlockPool(1));
        return speculation.guesses(shares)[0];
    }

    @Test
    void no_guess_is_made_where_rows_cost_more_than_they_bring_until_they_are_cheap_again() {
        Speculation speculation = new Speculation(6, Integer.MAX_VALUE);
        Sequence sequence = new Sequence(new int[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4}, BLOCK, "");
        List<Share> shares = List.of(new Share(sequence, 1));
        assertThat(speculation.guesses(shares)[0]).isPositive();
        for (int i = 0; i < 20; i++) {
            speculation.measured(1 + i % 7, 1_000_000L * (1 + i % 7));
        }
        assertThat(speculation.guesses(shares)).containsExactly(0);
        int steps = 0;
        while (speculation.guesses(shares)[0] == 0) {
            speculation.measured(1, 1_000_000L);
            assertThat(++steps).as("until rows are tried again").isLessThan(400);
        }
        for (int i = 0; i < 70; i++) {
            speculation.measured(1 + i % 7, 1_000_000L + 10_000 * (i % 7));
        }
        assertThat(speculation.guesses(shares)).containsExactly(6);
    }

    @Test
    void an_interrupted_step_turns_guessing_off_for_a_moment_only() {
        Speculation speculation = new Speculation(6, Integer.MAX_VALUE);
        Sequence sequence = new Sequence(new int[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4}, BLOCK, "");
        List<Share> shares = List.of(new Share(sequence, 1));
        for (int i = 0; i < 20; i++) {
            speculation.measured(1 + i % 4, 1_000_000L + 150_000 * (i % 4));
        }
        speculation.measured(3, 900_000_000L);
        int steps = 0;
        while (speculation.guesses(shares)[0] < 2) {
            speculation.measured(1, 1_000_000L);
            assertThat(++steps).isLessThan(60);
        }
    }

    @Test
    void a_backend_is_asked_to_draw_each_guessed_token_with_the_number_of_its_own_position() throws Exception {
        SamplingSettings sampling =
                SamplingSettings.atTemperature(1).withTopK(1).withSeed(3);
        try (Engine engine = start(LIMITS)) {
            answer(engine, GenerationRequest.of(prompt(1, 40), 60).withSampling(sampling));
            assertThat(engine.status().rightGuesses()).isGreaterThan(10);
        }
        Sampler sampler = new Sampler(sampling, 0, new int[0]);
        assertThat(quoting.uniforms).hasSizeGreaterThanOrEqualTo(60);
        quoting.uniforms.forEach((position, uniform) ->
                assertThat(uniform).isEqualTo(sampler.draw(position).uniform()));
    }

    @Test
    void guessing_stays_among_rows_that_round_as_one_does() {
        Sequence one = new Sequence(new int[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4}, BLOCK, "");
        Sequence two = new Sequence(new int[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4}, BLOCK, "");
        Speculation speculation = new Speculation(6, 7);
        for (int rows = 1; rows <= 16; rows++) {
            speculation.measured(rows, 1_000_000);
        }
        int[] guesses = speculation.guesses(List.of(new Share(one, 1), new Share(two, 1)));
        assertThat(guesses[0] + guesses[1]).isEqualTo(5);
        assertThat(new Speculation(6, 1).guesses(List.of(new Share(one, 1)))).containsExactly(0);
    }

    @Test
    void what_steps_cost_is_a_line_through_those_of_late() {
        StepCost cost = new StepCost();
        assertThat(cost.of(6) / cost.of(1)).isCloseTo(2, within(1e-9));
        for (int i = 0; i < 300; i++) {
            cost.record(1 + i % 5, 1000 + 500 * (i % 5));
        }
        assertThat(cost.of(7) / cost.of(1)).isCloseTo(4, within(0.2));
        for (int i = 0; i < 300; i++) {
            cost.record(1 + i % 5, 3000);
        }
        assertThat(cost.of(7) / cost.of(1)).isCloseTo(1.06, within(0.1));
    }
}
