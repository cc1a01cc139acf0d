package dev.tsumugi.generator;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tsumugi.contracts.AdapterKey;
import dev.tsumugi.engine.serve.GenerationRequest;
import dev.tsumugi.generator.model.ModelHost;
import dev.tsumugi.generator.model.ServedModel;
import dev.tsumugi.platform.kafka.EventPublisher;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Three replicas on one registry. */
class ReplicasIT {
    private static final int REPLICAS = 3;
    private static final int RUNS = 15;
    private static final AdapterKey NAME = new AdapterKey("replicas", "support");

    @TempDir
    private Path work;

    private final List<RunningGenerator> replicas = new ArrayList<>();
    private AdapterPublications publications;

    @BeforeEach
    void start() throws Exception {
        for (int i = 0; i < REPLICAS; i++) {
            replicas.add(new RunningGenerator(Map.of(
                    "tsumugi.generator.model",
                    AdapterPublications.MODEL,
                    "tsumugi.generator.backend",
                    "vector",
                    "tsumugi.generator.threads",
                    "1",
                    "tsumugi.generator.adapter-store",
                    work.resolve("store"))));
        }
        publications = new AdapterPublications(
                work.resolve("store"), replicas.getFirst().bean(EventPublisher.class));
    }

    @AfterEach
    void stop() {
        publications.close();
        replicas.forEach(RunningGenerator::close);
    }

    private ServedModel served(int replica) {
        return replicas.get(replica).bean(ModelHost.class).require();
    }

    private String random(int seed) throws Exception {
        return publications.store(
                RandomPeft.write(work.resolve("peft" + seed), served(0).model().model(), 16, seed));
    }

    private void awaitServed(String digest) {
        long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
        for (int i = 0; i < REPLICAS; ) {
            try (ServedModel model = served(i).called(NAME.tenant(), NAME.name(), "")) {
                if (digest.equals(model.adapterDigest())) {
                    i++;
                } else {
                    assertThat(System.nanoTime()).as("replica " + i + " serves").isLessThan(deadline);
                    LockSupport.parkNanos(200_000);
                }
            }
        }
    }

    @Test
    void all_replicas_serve_what_was_published_within_a_second() throws Exception {
        double[] millis = new double[RUNS];
        for (int run = -3; run < RUNS; run++) {
            String digest = random(run);
            long begin = System.nanoTime();
            publications.register(NAME, digest);
            awaitServed(digest);
            if (run >= 0) {
                millis[run] = (System.nanoTime() - begin) / 1e6;
            }
        }
        Arrays.sort(millis);
        System.out.printf(
                "published to %d replicas: median %.0f ms, slowest of %d %.0f ms%n",
                REPLICAS, millis[RUNS / 2], RUNS, millis[RUNS - 1]);
        assertThat(millis[RUNS / 2]).isLessThan(1000);
    }

    @Test
    void the_first_token_of_an_adapter_that_has_just_come_is_as_quick_as_the_next() throws Exception {
        double[] cold = new double[RUNS];
        double[] warm = new double[RUNS];
        for (int run = -5; run < RUNS; run++) {
            String digest = random(run);
            publications.register(NAME, digest);
            awaitServed(digest);
            double first = firstToken(run * 2);
            double second = firstToken(run * 2 + 1);
            if (run >= 0) {
                cold[run] = first;
                warm[run] = second;
            }
        }
        Arrays.sort(cold);
        Arrays.sort(warm);
        System.out.printf(
                "first token: %.2f ms cold, %.2f ms warm (medians of %d)%n", cold[RUNS / 2], warm[RUNS / 2], RUNS);
        assertThat(cold[RUNS / 2]).isLessThan(1.5 * warm[RUNS / 2]);
    }

    /** Milliseconds to the first token of a prompt that no cache knows. */
    private double firstToken(int number) {
        int[] prompt = new int[400];
        for (int i = 0; i < prompt.length; i++) {
            prompt[i] = 5 + Math.floorMod(31 * number + 7 * i + i * i, 300);
        }
        try (ServedModel model = served(0).called(NAME.tenant(), NAME.name(), "")) {
            return model.engine()
                            .submit(GenerationRequest.of(prompt, 1).withAdapter(model.adapterDigest()))
                            .result()
                            .join()
                            .timings()
                            .firstToken()
                            .toNanos()
                    / 1e6;
        }
    }
}
