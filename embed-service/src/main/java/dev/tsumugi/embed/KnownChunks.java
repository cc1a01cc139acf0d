package dev.tsumugi.embed;

import dev.tsumugi.platform.web.Caller;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.http.MediaType;
import org.springframework.web.client.RestClient;

/**
 * Asks the retriever which chunks of a document it already holds vectors of. The answer only saves work: without one everything is
 * embedded.
 */
class KnownChunks {
    private static final Logger log = LoggerFactory.getLogger(KnownChunks.class);
    private static final Duration PAUSE_AFTER_FAILURE = Duration.ofSeconds(10);

    private final RestClient retriever;
    private final Clock clock;
    private volatile Instant askAgainAt = Instant.MIN;

    private record Request(String documentId, List<String> hashes, String indexGeneration) {}

    private record Response(@Nullable List<String> known) {}

    KnownChunks(RestClient retriever, Clock clock) {
        this.retriever = retriever;
        this.clock = clock;
    }

    Set<String> of(String tenant, String documentId, List<String> hashes, String indexGeneration) {
        if (clock.instant().isBefore(askAgainAt)) {
            return Set.of();
        }
        try {
            Response response = retriever
                    .post()
                    .uri("/internal/known-chunks")
                    .headers(headers -> Caller.administrator(tenant).writeTo(headers))
                    .contentType(MediaType.APPLICATION_JSON)
                    .body(new Request(documentId, hashes, indexGeneration))
                    .retrieve()
                    .body(Response.class);
            return response == null || response.known() == null ? Set.of() : new HashSet<>(response.known());
        } catch (RuntimeException e) {
            askAgainAt = clock.instant().plus(PAUSE_AFTER_FAILURE);
            log.info("the retriever does not say which chunks it has; embedding all: {}", e.getMessage());
            return Set.of();
        }
    }
}
