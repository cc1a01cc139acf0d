package dev.tsumugi.gateway.openai;

import dev.tsumugi.contracts.api.EmbedRequest;
import dev.tsumugi.contracts.api.EmbedResponse;
import dev.tsumugi.gateway.downstream.ServiceClient;
import dev.tsumugi.gateway.downstream.Services;
import dev.tsumugi.platform.web.Caller;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.springframework.stereotype.Component;

/** The embed service as the OpenAI interface sees it: a model with a name and a number of dimensions. */
@Component
final class EmbeddingModel {
    private static final int TEXTS_A_CALL = 64;
    private static final long REMEMBERED_NANOS = Duration.ofMinutes(1).toNanos();

    private final ServiceClient embed;
    private final AtomicReference<@Nullable Seen> seen = new AtomicReference<>();

    EmbeddingModel(Services services) {
        this.embed = services.embed();
    }

    record Description(String name, int dimensions) {}

    private record Seen(Description description, long nanos) {}

    /** Asks the service at most once a minute: it may have been restarted with another model. */
    Description describe(Caller caller) {
        Seen last = seen.get();
        if (last != null && System.nanoTime() - last.nanos() < REMEMBERED_NANOS) {
            return last.description();
        }
        EmbedResponse probe = call(EmbedRequest.Kind.QUERY, List.of("probe"), caller);
        Description description = new Description(probe.model(), probe.vectors().getFirst().length);
        seen.set(new Seen(description, System.nanoTime()));
        return description;
    }

    /** Vectors of all texts in order, with the tokens of all. */
    EmbedResponse embed(EmbedRequest.Kind kind, List<String> texts, Caller caller) {
        List<float[]> vectors = new ArrayList<>(texts.size());
        int tokens = 0;
        EmbedResponse part = null;
        for (int from = 0; from < texts.size(); from += TEXTS_A_CALL) {
            part = call(kind, texts.subList(from, Math.min(from + TEXTS_A_CALL, texts.size())), caller);
            vectors.addAll(part.vectors());
            tokens += part.tokens();
        }
        if (part == null) {
            throw new IllegalArgumentException("no texts");
        }
        return new EmbedResponse(part.model(), part.indexGeneration(), vectors, tokens, null);
    }

    private EmbedResponse call(EmbedRequest.Kind kind, List<String> texts, Caller caller) {
        return embed.post("/internal/embed", caller, new EmbedRequest(kind, texts), EmbedResponse.class);
    }
}
