package dev.tsumugi.engine.serve;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.tsumugi.engine.sample.SamplingSettings;
import dev.tsumugi.engine.sample.TokenLogprobs;
import dev.tsumugi.engine.tokenizer.GoldenFiles;
import dev.tsumugi.engine.tokenizer.Tokenizer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class EngineTests {
    private static final Tokenizer TOKENIZER = GoldenFiles.tokenizer("tiny-llama");
    private static final int VOCABULARY = TOKENIZER.vocabularySize();
    private static final EngineLimits LIMITS = new EngineLimits(256, 64, 4, 32, 8, 64);

    private final RecallingModel model = new RecallingModel(VOCABULARY, 256);
    private final AtomicLong now = new AtomicLong();
    private Engine engine = start(LIMITS);

    private Engine start(EngineLimits limits) {
        return Engine.start(model, TOKENIZER, Set.of(), limits, now::get);
    }

    private void restart(Set<Integer> endTokens, EngineLimits limits) {
        engine.close();
        engine = Engine.start(model, TOKENIZER, endTokens, limits, now::get);
    }

    @AfterEach
    void close() {
        engine.close();
    }

    private static int[] prompt(int seed, int length) {
        return new Random(seed).ints(length, 3, VOCABULARY).toArray();
    }

    private GenerationResult answer(GenerationRequest request) throws Exception {
        return engine.submit(request).result().get(30, SECONDS);
    }

    @Test
    void an_answer_is_what_the_model_says() throws Exception {
        int[] prompt = prompt(1, 20);
        GenerationResult result = answer(GenerationRequest.of(prompt, 30));
        assertThat(result.tokens()).isEqualTo(model.answer(prompt, 30));
        assertThat(result.text()).isEqualTo(TOKENIZER.decode(result.tokens(), true));
        assertThat(result.finishReason()).isEqualTo(FinishReason.LENGTH);
        assertThat(result.usage()).isEqualTo(new GenerationResult.Usage(20, 0, 30));
    }

    @Test
    void many_requests_in_a_cache_too_small_for_them_all_get_the_answers_they_would_get_alone() throws Exception {
        restart(Set.of(), new EngineLimits(120, 40, 4, 16, 8, 64));
        List<int[]> prompts = new ArrayList<>();
        List<Generation> generations = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            int[] prompt = prompt(i % 5, 10 + i);
            prompts.add(prompt);
            generations.add(engine.submit(GenerationRequest.of(prompt, 60)));
        }
        for (int i = 0; i < prompts.size(); i++) {
            assertThat(generations.get(i).result().get(30, SECONDS).tokens())
                    .as("request %d", i)
                    .isEqualTo(model.answer(prompts.get(i), 60));
        }
        await().untilAsserted(() -> assertThat(engine.status().freeBlocks()).isEqualTo(40));
        assertThat(engine.status().preemptions()).isPositive();
        assertThat(engine.status().running() + engine.status().waiting()).isZero();
    }

    @Test
    void a_prompt_seen_before_comes_from_the_cache_and_changes_nothing() throws Exception {
        int[] prompt = prompt(1, 40);
        GenerationResult miss = answer(GenerationRequest.of(prompt, 10));
        GenerationResult hit = answer(GenerationRequest.of(prompt, 10));
        assertThat(hit.usage().cachedTokens()).isEqualTo(36);
        assertThat(hit.tokens()).isEqualTo(miss.tokens());
    }

    @Test
    void the_pieces_of_a_stream_make_the_text() throws Exception {
        List<String> pieces = new CopyOnWriteArrayList<>();
        List<TokenLogprobs> logprobs = new CopyOnWriteArrayList<>();
        GenerationListener listener = new GenerationListener() {
            @Override
            public void onPiece(String text, List<TokenLogprobs> more) {
                pieces.add(text);
                logprobs.addAll(more);
            }
        };
        GenerationResult result = engine.submit(
                        GenerationRequest.of(prompt(2, 9), 100).withLogprobs(2), listener)
                .result()
                .get(30, SECONDS);
        assertThat(String.join("", pieces)).isEqualTo(result.text());
        assertThat(pieces.size()).isGreaterThan(10);
        assertThat(logprobs).isEqualTo(result.logprobs()).hasSize(100);
        for (int i = 0; i < 100; i++) {
            assertThat(logprobs.get(i).chosen().id()).isEqualTo(result.tokens()[i]);
            assertThat(logprobs.get(i).top()).hasSize(2);
        }
    }

    @Test
    void an_end_token_ends_the_answer_and_is_no_text() throws Exception {
        int[] prompt = prompt(3, 12);
        int[] expected = model.answer(prompt, 50);
        int end = expected[6];
        int first = 0;
        while (expected[first] != end) {
            first++;
        }
        restart(Set.of(end), LIMITS);
        GenerationResult result = answer(GenerationRequest.of(prompt, 50));
        assertThat(result.tokens()).isEqualTo(Arrays.copyOf(expected, first + 1));
        assertThat(result.text()).isEqualTo(TOKENIZER.decode(Arrays.copyOf(expected, first), true));
        assertThat(result.finishReason()).isEqualTo(FinishReason.STOP);
        assertThat(answer(GenerationRequest.of(prompt, 50).withIgnoreEnd(true)).tokens())
                .isEqualTo(expected);
    }

    @Test
    void a_stop_string_across_token_borders_ends_the_answer_before_it() throws Exception {
        int[] prompt = prompt(4, 12);
        String whole = answer(GenerationRequest.of(prompt, 60)).text();
        String stop = whole.substring(20, 26);
        GenerationResult result = answer(GenerationRequest.of(prompt, 60).withStop(List.of("never this", stop)));
        assertThat(result.text()).isEqualTo(whole.substring(0, whole.indexOf(stop)));
        assertThat(result.finishReason()).isEqualTo(FinishReason.STOP);
        assertThat(result.tokens().length).isLessThan(60);
    }

    @Test
    void the_same_seed_gives_the_same_answer_beside_others() throws Exception {
        GenerationRequest request = GenerationRequest.of(prompt(5, 15), 40)
                .withSampling(SamplingSettings.atTemperature(3).withSeed(11));
        GenerationResult alone = answer(request);
        List<Generation> others = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            others.add(engine.submit(GenerationRequest.of(prompt(20 + i, 30), 50)));
        }
        assertThat(answer(request).tokens()).isEqualTo(alone.tokens());
        for (Generation other : others) {
            other.result().get(30, SECONDS);
        }
        GenerationResult different =
                answer(request.withSampling(SamplingSettings.atTemperature(3).withSeed(12)));
        assertThat(different.tokens()).isNotEqualTo(alone.tokens());
    }

    @Test
    void cancelling_frees_what_a_request_holds_and_others_go_on() throws Exception {
        CountDownLatch started = new CountDownLatch(1);
        CountDownLatch cancelled = new CountDownLatch(1);
        AtomicInteger steps = new AtomicInteger();
        // In the middle of its answer the engine waits for the cancellation, so that it cannot be over before.
        model.beforeStep(() -> {
            if (steps.incrementAndGet() == 100) {
                awaitQuietly(cancelled);
            }
        });
        Generation endless = engine.submit(GenerationRequest.of(prompt(6, 20), 200), new GenerationListener() {
            @Override
            public void onPiece(String text, List<TokenLogprobs> logprobs) {
                started.countDown();
            }
        });
        assertThat(started.await(30, SECONDS)).isTrue();
        Generation other = engine.submit(GenerationRequest.of(prompt(7, 10), 20));
        endless.cancel();
        cancelled.countDown();
        GenerationResult cut = endless.result().get(30, SECONDS);
        assertThat(cut.finishReason()).isEqualTo(FinishReason.CANCELLED);
        assertThat(cut.tokens().length).isBetween(1, 199);
        assertThat(other.result().get(30, SECONDS).tokens()).isEqualTo(model.answer(prompt(7, 10), 20));
        await().untilAsserted(() -> assertThat(engine.status().freeBlocks()).isEqualTo(64));
        endless.cancel();
    }

    @Test
    void cancelling_ends_the_step_in_progress_when_it_is_for_nobody_else() throws Exception {
        restart(Set.of(), new EngineLimits(256, 64, 4, 256, 8, 64));
        CountDownLatch inStep = new CountDownLatch(1);
        CountDownLatch cancelled = new CountDownLatch(1);
        model.beforeStep(() -> {
            inStep.countDown();
            awaitQuietly(cancelled);
        });
        Generation reading = engine.submit(GenerationRequest.of(prompt(6, 200), 20));
        assertThat(inStep.await(30, SECONDS)).isTrue();
        Generation other = engine.submit(GenerationRequest.of(prompt(7, 10), 20));
        reading.cancel();
        cancelled.countDown();
        assertThat(reading.result().get(30, SECONDS).tokens()).isEmpty();
        assertThat(other.result().get(30, SECONDS).tokens()).isEqualTo(model.answer(prompt(7, 10), 20));
        await().untilAsserted(() -> assertThat(engine.status().freeBlocks()).isEqualTo(64));
        assertThat(engine.status().computedTokens()).as("none of the first").isLessThan(10 + 20 + 20);
    }

    @Test
    void time_that_is_over_before_its_turn_ends_a_request_too() throws Exception {
        restart(Set.of(), LIMITS.withMaxRunning(1));
        CountDownLatch bothSubmitted = new CountDownLatch(1);
        model.beforeStep(() -> {
            awaitQuietly(bothSubmitted);
            now.addAndGet(Duration.ofMillis(100).toNanos());
        });
        Generation first = engine.submit(GenerationRequest.of(prompt(8, 5), 50));
        Generation late = engine.submit(GenerationRequest.of(prompt(9, 5), 5).withTimeout(Duration.ofSeconds(1)));
        bothSubmitted.countDown();
        GenerationResult result = late.result().get(30, SECONDS);
        assertThat(result.finishReason()).isEqualTo(FinishReason.DEADLINE);
        assertThat(result.tokens()).isEmpty();
        assertThat(first.result().get(30, SECONDS).tokens()).hasSize(50);
    }

    @Test
    void a_tenant_at_its_limit_is_refused_while_others_are_served() throws Exception {
        restart(Set.of(), LIMITS.withMaxPerTenant(2));
        CountDownLatch go = new CountDownLatch(1);
        model.beforeStep(() -> awaitQuietly(go));
        GenerationRequest request = GenerationRequest.of(prompt(1, 5), 5);
        List<Generation> accepted = new ArrayList<>();
        for (String tenant : List.of("a", "b", "a", "b", "c")) {
            accepted.add(engine.submit(request.withTenant(tenant)));
        }
        assertThatThrownBy(() -> engine.submit(request.withTenant("a")))
                .isInstanceOf(QueueFullException.class)
                .hasMessageContaining("tenant has 2 unfinished");
        go.countDown();
        for (Generation generation : accepted) {
            generation.result().get(30, SECONDS);
        }
        assertThat(answer(request.withTenant("a")).tokens()).hasSize(5);
    }

    @Test
    void one_request_is_not_kept_waiting_by_a_hundred_of_another_tenant() throws Exception {
        restart(Set.of(), LIMITS.withMaxQueued(200));
        CountDownLatch go = new CountDownLatch(1);
        model.beforeStep(() -> {
            awaitQuietly(go);
            now.addAndGet(Duration.ofMillis(1).toNanos());
        });
        List<Generation> crowd = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            crowd.add(engine.submit(GenerationRequest.of(prompt(i, 30), 100).withTenant("crowd")));
        }
        Generation one = engine.submit(GenerationRequest.of(prompt(200, 10), 10).withTenant("one"));
        go.countDown();
        GenerationResult result = one.result().get(30, SECONDS);
        assertThat(result.tokens()).isEqualTo(model.answer(prompt(200, 10), 10));
        assertThat(result.timings().total()).as("a millisecond a step").isLessThan(Duration.ofMillis(40));
        for (int i = 0; i < 100; i++) {
            assertThat(crowd.get(i).result().get(30, SECONDS).tokens()).isEqualTo(model.answer(prompt(i, 30), 100));
        }
    }

    /** Spends a little time, so that a step is not over before the test acts. */
    private static void sleepless(long nanos) {
        long end = System.nanoTime() + nanos;
        while (System.nanoTime() < end) {
            Thread.onSpinWait();
        }
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            assertThat(latch.await(30, SECONDS)).isTrue();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Test
    void time_that_is_over_ends_an_answer() throws Exception {
        model.beforeStep(() -> now.addAndGet(Duration.ofMillis(100).toNanos()));
        GenerationResult result = answer(GenerationRequest.of(prompt(8, 5), 200).withTimeout(Duration.ofSeconds(1)));
        assertThat(result.finishReason()).isEqualTo(FinishReason.DEADLINE);
        assertThat(result.tokens()).hasSize(10);
        assertThat(result.timings().total()).isEqualTo(Duration.ofSeconds(1));
        assertThat(result.timings().firstToken()).isEqualTo(Duration.ofMillis(100));
    }

    @Test
    void a_failing_step_fails_its_requests_and_the_next_one_is_served() throws Exception {
        model.beforeStep(() -> {
            throw new IllegalStateException("broken weights");
        });
        List<GenerationException> failures = new CopyOnWriteArrayList<>();
        Generation failing = engine.submit(GenerationRequest.of(prompt(9, 5), 5), new GenerationListener() {
            @Override
            public void onFailure(GenerationException failure) {
                failures.add(failure);
            }
        });
        assertThatThrownBy(() -> failing.result().get(30, SECONDS))
                .isInstanceOf(ExecutionException.class)
                .cause()
                .isInstanceOf(GenerationException.class)
                .hasMessageContaining("broken weights");
        assertThat(failures).hasSize(1);
        model.beforeStep(() -> {});
        assertThat(answer(GenerationRequest.of(prompt(9, 5), 5)).tokens()).isEqualTo(model.answer(prompt(9, 5), 5));
        await().untilAsserted(() -> assertThat(engine.status().freeBlocks()).isEqualTo(64));
        assertThat(engine.status().failures()).isEqualTo(1);
    }

    @Test
    void a_listener_that_throws_or_blocks_hinders_nobody() throws Exception {
        CountDownLatch never = new CountDownLatch(1);
        Generation throwing = engine.submit(GenerationRequest.of(prompt(10, 5), 5), new GenerationListener() {
            @Override
            public void onPiece(String text, List<TokenLogprobs> logprobs) {
                throw new IllegalStateException("listener is broken on purpose");
            }
        });
        Generation blocked = engine.submit(GenerationRequest.of(prompt(11, 5), 5), new GenerationListener() {
            @Override
            public void onPiece(String text, List<TokenLogprobs> logprobs) {
                try {
                    never.await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }
        });
        assertThat(answer(GenerationRequest.of(prompt(12, 5), 5)).tokens()).isEqualTo(model.answer(prompt(12, 5), 5));
        assertThat(throwing.result().get(30, SECONDS).tokens()).isEqualTo(model.answer(prompt(10, 5), 5));
        assertThat(blocked.result()).isNotDone();
        never.countDown();
        assertThat(blocked.result().get(30, SECONDS).tokens()).hasSize(5);
    }

    @Test
    void a_full_queue_refuses_and_accepts_again_later() throws Exception {
        restart(Set.of(), LIMITS.withMaxRunning(2).withMaxQueued(1));
        CountDownLatch go = new CountDownLatch(1);
        model.beforeStep(() -> {
            try {
                go.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
        List<Generation> accepted = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            accepted.add(engine.submit(GenerationRequest.of(prompt(i, 5), 5)));
        }
        assertThatThrownBy(() -> engine.submit(GenerationRequest.of(prompt(4, 5), 5)))
                .isInstanceOf(QueueFullException.class)
                .hasMessageContaining("3 unfinished");
        go.countDown();
        for (Generation generation : accepted) {
            generation.result().get(30, SECONDS);
        }
        assertThat(answer(GenerationRequest.of(prompt(4, 5), 5)).tokens()).hasSize(5);
    }

    @Test
    void a_prompt_longer_than_the_context_is_refused_and_a_long_answer_ends_there() throws Exception {
        assertThatThrownBy(() -> engine.submit(GenerationRequest.of(prompt(1, 256), 5)))
                .isInstanceOf(PromptTooLongException.class)
                .hasMessageContaining("256 tokens")
                .hasMessageContaining("at most 255");
        GenerationResult result = answer(GenerationRequest.of(prompt(1, 250), 50));
        assertThat(result.tokens()).isEqualTo(model.answer(prompt(1, 250), 6));
        assertThat(result.finishReason()).isEqualTo(FinishReason.LENGTH);
    }

    @Test
    void tokens_the_model_does_not_have_are_refused() {
        assertThatThrownBy(() -> engine.submit(GenerationRequest.of(new int[] {VOCABULARY}, 5)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("token id " + VOCABULARY);
        assertThatThrownBy(() -> GenerationRequest.of(new int[0], 5)).hasMessageContaining("empty");
    }

    @Test
    void closing_ends_everything() {
        model.beforeStep(() -> sleepless(1_000_000));
        Generation running = engine.submit(GenerationRequest.of(prompt(1, 20), 200));
        Generation queued = engine.submit(GenerationRequest.of(prompt(2, 20), 200));
        engine.close();
        for (Generation generation : List.of(running, queued)) {
            assertThatThrownBy(() -> generation.result().join())
                    .isInstanceOf(CompletionException.class)
                    .hasRootCauseMessage("the engine was closed");
        }
        assertThatThrownBy(() -> engine.submit(GenerationRequest.of(prompt(1, 20), 2)))
                .isInstanceOf(IllegalStateException.class);
        engine.close();
    }
}
