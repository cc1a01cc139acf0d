package dev.tsumugi.trainer.jobs;

import dev.tsumugi.contracts.api.GeneratorLoad;
import dev.tsumugi.platform.web.ProblemException;
import dev.tsumugi.trainer.replicas.Replicas;
import java.time.Duration;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.web.client.ResourceAccessException;
import org.springframework.web.client.RestClient;

/**
 * Leaves the processor to those who wait for an answer: training waits while a generator computes, but never longer than a bound, so that
 * it goes on under constant load too.
 */
final class ServingLoad {
    private static final Logger log = LoggerFactory.getLogger(ServingLoad.class);
    private static final Duration BETWEEN_LOOKS = Duration.ofMillis(100);
    private static final Duration AFTER_NO_ANSWER = Duration.ofSeconds(30);

    private final List<Generator> generators;
    private final Duration longest;

    /** One, and until when it is not asked because it did not answer. */
    private static final class Generator {
        private final RestClient client;
        private volatile long silentUntil = System.nanoTime();

        Generator(RestClient client) {
            this.client = client;
        }
    }

    /** @param longest that one call of {@link #awaitIdle} takes */
    ServingLoad(Replicas generators, Duration longest) {
        this.generators = generators.each().stream().map(Generator::new).toList();
        this.longest = longest;
    }

    /** @return how long it waited */
    Duration awaitIdle() throws InterruptedException {
        long begin = System.nanoTime();
        while (System.nanoTime() - begin < longest.toNanos()
                && generators.stream().anyMatch(ServingLoad::isBusy)) {
            Thread.sleep(BETWEEN_LOOKS);
        }
        return Duration.ofNanos(System.nanoTime() - begin);
    }

    private static boolean isBusy(Generator generator) {
        if (System.nanoTime() - generator.silentUntil < 0) {
            return false;
        }
        try {
            GeneratorLoad load =
                    generator.client.get().uri("/internal/load").retrieve().body(GeneratorLoad.class);
            return load != null && load.running() + load.waiting() > 0;
        } catch (ResourceAccessException | ProblemException e) {
            // A generator that does not answer needs no processor.
            log.debug("the generator does not say how busy it is: {}", e.getMessage());
            generator.silentUntil = System.nanoTime() + AFTER_NO_ANSWER.toNanos();
            return false;
        }
    }
}
