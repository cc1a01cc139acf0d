package dev.tsumugi.generator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tsumugi.contracts.AdapterKey;
import dev.tsumugi.engine.adapter.LoadedAdapter;
import dev.tsumugi.engine.serve.Engine;
import dev.tsumugi.generator.model.AdapterNames;
import dev.tsumugi.generator.model.ModelHost;
import dev.tsumugi.platform.kafka.EventPublisher;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Many swaps while requests come in. */
class SwapUnderLoadIT {
    private static final int SWAPS = 1000;
    private static final int MEASURED_FROM = 300;
    private static final int CLIENTS = 2;
    private static final int PROMPTS = 6;
    private static final AdapterKey NAME = new AdapterKey("busy", "support");
    private static final Duration LONG = Duration.ofSeconds(30);
    /** A swap that left its adapter behind would take 600 times half a megabyte. */
    private static final long MOST_GROWTH = 96L << 20;

    private record Answer(String digest, int prompt, String text) {}

    private static Answer ask(RunningGenerator generator, int prompt) throws Exception {
        // A beginning that all share, so that the cache of prefixes has something to mix up.
        String tokens = String.join(
                ", ",
                IntStream.range(0, 70)
                        .mapToObj(i -> Integer.toString(i < 64 ? 10 + i : 100 + 17 * prompt + i))
                        .toList());
        JsonNode answer =
                generator.json(200, generator.post("/internal/completions", NAME.tenant(), """
                {"model": "support", "prompt": [%s], "max_tokens": 8, "temperature": 0}""".formatted(tokens)));
        return new Answer(
                answer.path("system_fingerprint").asString(),
                prompt,
                answer.path("choices").get(0).path("text").asString());
    }

    @Test
    void a_thousand_swaps_fail_no_request_each_answer_is_that_of_one_adapter_and_nothing_is_left_behind(
            @TempDir Path work) throws Exception {
        try (RunningGenerator generator = new RunningGenerator(Map.of(
                        "tsumugi.generator.model",
                        AdapterPublications.MODEL,
                        // Gives a row the same bits whatever runs beside it.
                        "tsumugi.generator.backend",
                        "vector",
                        "tsumugi.generator.adapter-store",
                        work.resolve("store")));
                AdapterPublications publications =
                        new AdapterPublications(work.resolve("store"), generator.bean(EventPublisher.class))) {
            Engine engine = generator.bean(ModelHost.class).require().engine();
            AdapterNames names = generator.bean(ModelHost.class).require().adapters();
            List<String> digests = new ArrayList<>();
            Map<Answer, Boolean> alone = new HashMap<>();
            for (int seed = 0; seed < 2; seed++) {
                Path peft = RandomPeft.write(
                        work.resolve("peft" + seed),
                        generator.bean(ModelHost.class).require().model().model(),
                        48,
                        seed);
                digests.add(publications.store(peft));
                swap(publications, names, digests.getLast());
                for (int prompt = 0; prompt < PROMPTS; prompt++) {
                    alone.put(ask(generator, prompt), true);
                }
            }
            assertThat(alone).hasSize(2 * PROMPTS);
            assertThat(alone.keySet().stream().map(Answer::text).distinct()).hasSizeGreaterThan(PROMPTS);

            AtomicInteger swaps = new AtomicInteger();
            AtomicInteger asked = new AtomicInteger();
            Queue<String> failures = new ConcurrentLinkedQueue<>();
            Map<Answer, Integer> answers = new ConcurrentHashMap<>();
            List<Thread> clients = IntStream.range(0, CLIENTS)
                    .mapToObj(client -> Thread.ofPlatform().start(() -> {
                        while (swaps.get() < SWAPS) {
                            try {
                                answers.merge(ask(generator, asked.getAndIncrement() % PROMPTS), 1, Integer::sum);
                            } catch (Exception | AssertionError e) {
                                failures.add(e.toString());
                            }
                        }
                    }))
                    .toList();
            long before = 0;
            long begin = System.nanoTime();
            try {
                while (swaps.get() < SWAPS) {
                    swap(publications, names, digests.get(swaps.get() % 2));
                    if (swaps.incrementAndGet() == MEASURED_FROM) {
                        before = residentBytes();
                    }
                }
            } finally {
                swaps.set(SWAPS);
                for (Thread client : clients) {
                    client.join();
                }
            }
            long growth = residentBytes() - before;
            System.out.printf(
                    "%d swaps in %d ms beside %d answers; resident memory grew by %d KiB from swap %d on%n",
                    SWAPS,
                    Duration.ofNanos(System.nanoTime() - begin).toMillis(),
                    asked.get(),
                    growth >> 10,
                    MEASURED_FROM);

            assertThat(failures).isEmpty();
            assertThat(alone.keySet()).containsAll(answers.keySet());
            assertThat(answers.keySet().stream().map(Answer::digest).distinct()).containsAll(digests);
            assertThat(asked.get()).isGreaterThan(SWAPS / 2);
            assertThat(engine.status().failures()).isZero();
            assertThat(engine.status().cachedTokens())
                    .as("prefixes were found in the cache")
                    .isPositive();
            await().atMost(LONG).untilAsserted(() -> {
                assertThat(engine.adapters().loaded())
                        .extracting(LoadedAdapter::digest, LoadedAdapter::users)
                        .containsExactly(org.assertj.core.groups.Tuple.tuple(digests.get((SWAPS - 1) % 2), 0));
                assertThat(engine.status().freeBlocks())
                        .isEqualTo(engine.status().blocks());
            });
            assertThat(growth).isLessThan(MOST_GROWTH);
        }
    }

    private static void swap(AdapterPublications publications, AdapterNames names, String digest) {
        long version = publications.register(NAME, digest);
        long deadline = System.nanoTime() + LONG.toNanos();
        while (true) {
            AdapterNames.Named named = names.get(NAME);
            if (named != null && named.version() >= version) {
                return;
            }
            assertThat(System.nanoTime())
                    .as("version " + version + " is served")
                    .isLessThan(deadline);
            LockSupport.parkNanos(200_000);
        }
    }

    private static long residentBytes() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("VmRSS:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) << 10)
                .sum();
    }
}
