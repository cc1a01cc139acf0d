package dev.tsumugi.engine.serve;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.sample.SamplingSettings;
import dev.tsumugi.engine.sample.TokenLogprobs;
import dev.tsumugi.engine.tokenizer.GoldenFiles;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Ten thousand requests of all kinds on a real small model, in a cache that is too small for those that run together. */
@Timeout(120)
class EngineSoakTests {
    private static final int REQUESTS = 10_000;
    private static final int BLOCKS = 48;

    @Test
    void ten_thousand_requests_with_cancellations_and_disconnects_leave_nothing_behind() throws Exception {
        ModelOptions options =
                ModelOptions.defaults().withBackend("vector").withThreads(1).withPrecision(Precision.EXACT);
        EngineLimits limits = new EngineLimits(160, BLOCKS, 8, 64, 12, 200).withMaxPerTenant(120);
        try (LoadedModel model = LoadedModel.open(GoldenFiles.path("tiny-llama"), options);
                Engine engine = model.startEngine(limits)) {
            Random random = new Random(11);
            Map<FinishReason, Integer> ends = new EnumMap<>(FinishReason.class);
            int refused = 0;
            long usedEarly = 0;
            Queue<Generation> open = new ArrayDeque<>();
            for (int i = 0; i < REQUESTS; i++) {
                if (i == REQUESTS / 4) {
                    drain(open, ends);
                    usedEarly = usedMemory();
                }
                try {
                    Generation generation = engine.submit(request(random, model), listener(random));
                    open.add(generation);
                    if (random.nextInt(8) == 0) {
                        generation.cancel();
                    }
                } catch (QueueFullException e) {
                    refused++;
                    end(open.remove(), ends);
                }
                if (open.size() > 150 || random.nextInt(40) == 0 && !open.isEmpty()) {
                    Generation oldest = open.remove();
                    if (random.nextInt(4) == 0) {
                        oldest.cancel();
                    }
                    end(oldest, ends);
                }
            }
            drain(open, ends);
            await().untilAsserted(() -> {
                EngineStatus status = engine.status();
                assertThat(status.freeBlocks()).as("every block came back").isEqualTo(BLOCKS);
                assertThat(status.running() + status.waiting()).isZero();
            });
            EngineStatus status = engine.status();
            assertThat(ends.values().stream().mapToInt(Integer::intValue).sum() + refused)
                    .isEqualTo(REQUESTS);
            assertThat(ends.keySet()).contains(FinishReason.LENGTH, FinishReason.CANCELLED, FinishReason.DEADLINE);
            assertThat(status.preemptions()).isPositive();
            assertThat(status.rightGuesses()).isPositive();
            assertThat(status.failures()).isZero();
            assertThat(usedMemory() - usedEarly)
                    .as("memory grown since the first quarter")
                    .isLessThan(8L << 20);
            // What came through all this is still right.
            GenerationRequest probe = GenerationRequest.of(new int[] {5, 6, 7, 8, 9, 5, 6, 7}, 60);
            int[] after = engine.submit(probe).result().get(30, SECONDS).tokens();
            try (Engine fresh = model.startEngine(limits.withMaxGuesses(0))) {
                assertThat(after)
                        .isEqualTo(fresh.submit(probe).result().get(30, SECONDS).tokens());
            }
        }
    }

    private static GenerationRequest request(Random random, LoadedModel model) {
        int family = random.nextInt(6);
        int length = 1 + random.nextInt(60);
        int[] prompt = new Random(family)
                .ints(length, 3, model.tokenizer().vocabularySize())
                .toArray();
        GenerationRequest request = GenerationRequest.of(prompt, 1 + random.nextInt(40))
                .withTenant("tenant " + random.nextInt(4))
                .withIgnoreEnd(random.nextBoolean());
        if (random.nextInt(3) == 0) {
            request = request.withSampling(SamplingSettings.atTemperature(0.2 + random.nextDouble())
                    .withTopP(0.9)
                    .withPenalties(1 + random.nextInt(2) * 0.1, 0, 0));
        }
        if (random.nextInt(5) == 0) {
            request = request.withStop(List.of("a", "the ")).withLogprobs(random.nextInt(3));
        }
        if (random.nextInt(10) == 0) {
            request = request.withTimeout(Duration.ofMillis(1 + random.nextInt(10)));
        }
        return request;
    }

    /** Some clients fail while they listen. */
    private static GenerationListener listener(Random random) {
        if (random.nextInt(200) > 0) {
            return GenerationListener.NONE;
        }
        return new GenerationListener() {
            @Override
            public void onPiece(String text, List<TokenLogprobs> logprobs) {
                throw new IllegalStateException("this client is gone");
            }
        };
    }

    private static void end(Generation generation, Map<FinishReason, Integer> ends) throws Exception {
        ends.merge(generation.result().get(60, SECONDS).finishReason(), 1, Integer::sum);
    }

    private static void drain(Queue<Generation> open, Map<FinishReason, Integer> ends) throws Exception {
        while (!open.isEmpty()) {
            end(open.remove(), ends);
        }
    }

    private static long usedMemory() {
        System.gc();
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }
}
