package dev.tsumugi.retriever.embedding;

import dev.tsumugi.contracts.api.EmbedRequest.Kind;
import dev.tsumugi.contracts.api.EmbedResponse;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Vectors of questions; the last ones asked are remembered for a while, since pages and retries ask the same question again. */
public class QueryEmbeddings {
    private static final int REMEMBERED = 512;
    /** Ends the memory of vectors of a model that was replaced. */
    private static final Duration LIFETIME = Duration.ofMinutes(2);

    private final EmbedClient client;
    private final Clock clock;
    private final Map<String, Remembered> recent = new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Remembered> eldest) {
            return size() > REMEMBERED;
        }
    };

    /** A vector and the name of the model that made it. */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    public record QueryVector(float[] values, String generation) {}

    private record Remembered(QueryVector vector, Instant madeAt) {}

    public QueryEmbeddings(EmbedClient client, Clock clock) {
        this.client = client;
        this.clock = clock;
    }

    public QueryVector of(String query) {
        Instant now = clock.instant();
        synchronized (recent) {
            @Nullable Remembered entry = recent.get(query);
            if (entry != null && now.isBefore(entry.madeAt().plus(LIFETIME))) {
                return entry.vector();
            }
        }
        EmbedResponse response = client.embed(Kind.QUERY, List.of(query));
        QueryVector vector = new QueryVector(response.vectors().getFirst(), response.indexGeneration());
        synchronized (recent) {
            recent.put(query, new Remembered(vector, now));
        }
        return vector;
    }
}
