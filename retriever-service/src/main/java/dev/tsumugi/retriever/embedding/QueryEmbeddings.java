package dev.tsumugi.retriever.embedding;

import dev.tsumugi.contracts.api.EmbedRequest;
import dev.tsumugi.contracts.api.EmbedRequest.Kind;
import dev.tsumugi.contracts.api.EmbedResponse;
import dev.tsumugi.platform.web.ProblemException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.web.client.RestClientException;

/**
 * Vectors of questions, as long as embed-service answers; the last ones asked are remembered for a while, since pages and retries ask the
 * same question again. While it does not answer, one search at a time tries it, now and then, and the others do without a vector.
 */
public class QueryEmbeddings {
    private static final int REMEMBERED = 512;
    /** Ends the memory of vectors of a model, or a query adapter, that was replaced. */
    private static final Duration LIFETIME = Duration.ofMinutes(2);
    /** From a failure to the next try. */
    private static final Duration PAUSE_AFTER_FAILURE = Duration.ofSeconds(2);

    private static final Logger log = LoggerFactory.getLogger(QueryEmbeddings.class);

    private final EmbedClient client;
    private final Clock clock;
    /** Since the last answer a call failed: then one search at a time asks, and the others do not wait for it. */
    private boolean failing;
    /** One is asking while {@code failing}. */
    private boolean probing;

    private Instant askAgainAt = Instant.MIN;
    private final Map<Asked, Remembered> recent = new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<Asked, Remembered> eldest) {
            return size() > REMEMBERED;
        }
    };

    /** A vector and the name of the model that made it. */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    public record QueryVector(float[] values, String generation) {
        /** For searches by words alone. */
        public static final QueryVector NONE = new QueryVector(new float[0], "");

        public boolean isNone() {
            return values.length == 0;
        }
    }

    /** Each tenant may have a query adapter of its own. */
    private record Asked(String tenant, String query) {}

    private record Remembered(QueryVector vector, Instant madeAt) {}

    public QueryEmbeddings(EmbedClient client, Clock clock) {
        this.client = client;
        this.clock = clock;
    }

    private enum Turn {
        ASK,
        PROBE,
        GO_WITHOUT
    }

    /**
     * Empty when embed-service does not answer, is too busy, or fails.
     *
     * @throws ProblemException when it refuses the query itself
     */
    public Optional<QueryVector> find(String tenant, String query) {
        Asked asked = new Asked(tenant, query);
        Optional<QueryVector> remembered = remembered(asked);
        if (remembered.isPresent()) {
            return remembered;
        }
        Turn turn = takeTurn();
        if (turn == Turn.GO_WITHOUT) {
            return Optional.empty();
        }
        boolean answered = false;
        try {
            QueryVector vector = ask(asked);
            answered = true;
            return Optional.of(vector);
        } catch (RestClientException e) {
            return unavailable(e);
        } catch (ProblemException e) {
            int status = e.getStatusCode().value();
            if (status >= 500 || status == 429 || status == 401) {
                return unavailable(e);
            }
            answered = true;
            throw e;
        } finally {
            endTurn(turn, answered);
        }
    }

    private synchronized Turn takeTurn() {
        if (!failing) {
            return Turn.ASK;
        }
        if (probing || clock.instant().isBefore(askAgainAt)) {
            return Turn.GO_WITHOUT;
        }
        probing = true;
        return Turn.PROBE;
    }

    private synchronized void endTurn(Turn turn, boolean answered) {
        failing = !answered;
        // Whoever asked before the first failure may come back while another probes.
        probing &= turn != Turn.PROBE;
        askAgainAt = clock.instant().plus(PAUSE_AFTER_FAILURE);
    }

    private static Optional<QueryVector> unavailable(RuntimeException e) {
        log.warn("no vectors for queries: {}", e.getMessage());
        return Optional.empty();
    }

    /** Without a call; empty when it was not asked for lately. */
    public Optional<QueryVector> remembered(String tenant, String query) {
        return remembered(new Asked(tenant, query));
    }

    private Optional<QueryVector> remembered(Asked asked) {
        Instant now = clock.instant();
        synchronized (recent) {
            @Nullable Remembered entry = recent.get(asked);
            return entry != null && now.isBefore(entry.madeAt().plus(LIFETIME))
                    ? Optional.of(entry.vector())
                    : Optional.empty();
        }
    }

    private QueryVector ask(Asked asked) {
        Instant now = clock.instant();
        EmbedResponse response = client.embed(new EmbedRequest(Kind.QUERY, List.of(asked.query()), asked.tenant()));
        QueryVector vector = new QueryVector(response.vectors().getFirst(), response.indexGeneration());
        synchronized (recent) {
            recent.put(asked, new Remembered(vector, now));
        }
        return vector;
    }
}
