package dev.tsumugi.trainer.adapters;

import dev.tsumugi.platform.web.InternalClients;
import dev.tsumugi.platform.web.ProblemException;
import dev.tsumugi.trainer.replicas.Replicas;
import java.time.Duration;
import org.springframework.http.HttpStatus;
import org.springframework.stereotype.Component;

/** Asks one of the generators whether the model that it serves can use a stored adapter. */
@Component
class GeneratorChecks {
    private static final Duration LIMIT = Duration.ofMinutes(1);

    private final Replicas generators;

    GeneratorChecks(InternalClients clients, AdapterProperties properties) {
        generators = new Replicas(clients, properties.generatorUrls(), LIMIT);
    }

    /** @param baseDigest of the model */
    record Usable(String digest, String baseDigest, int rank, int layers) {}

    /**
     * @throws ProblemException 400 with the reason when it cannot, 503 when no model is there yet
     * @throws org.springframework.web.client.ResourceAccessException when no generator answers
     */
    Usable check(String digest) {
        Usable usable = generators.call(generator -> generator
                .post()
                .uri("/internal/adapters/{digest}/check", digest)
                .retrieve()
                .body(Usable.class));
        if (usable == null) {
            throw new ProblemException(HttpStatus.BAD_GATEWAY, "service-error", "The generator gave an empty answer.");
        }
        return usable;
    }
}
