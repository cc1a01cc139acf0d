package dev.tsumugi.embed;

import dev.tsumugi.contracts.api.EmbedRequest;
import dev.tsumugi.contracts.api.EmbedResponse;
import dev.tsumugi.platform.web.ProblemException;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpStatus;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;

/** Embeds the texts of one call while the caller waits. */
@RestController
class EmbedController {
    private static final int MAX_TEXTS = 512;
    private static final int MAX_CHARACTERS = 100_000;
    private static final int MAX_WAITING_TEXTS = 4096;
    private static final long TIMEOUT_SECONDS = 60;

    private final EmbeddingService embeddings;
    private final QueryAdapterFollower queryAdapters;

    EmbedController(EmbeddingService embeddings, QueryAdapterFollower queryAdapters) {
        this.embeddings = embeddings;
        this.queryAdapters = queryAdapters;
    }

    @PostMapping("/internal/embed")
    EmbedResponse embed(@RequestBody EmbedRequest request) throws Exception {
        check(request);
        if (embeddings.waitingTexts() > MAX_WAITING_TEXTS) {
            throw new ProblemException(
                    HttpStatus.SERVICE_UNAVAILABLE,
                    "embedding-busy",
                    "More than " + MAX_WAITING_TEXTS + " texts wait to be embedded. Try again in a minute.");
        }
        Future<EmbeddingService.Embedded> result = embeddings.embed(request.kind(), request.texts());
        try {
            EmbeddingService.Embedded embedded = result.get(TIMEOUT_SECONDS, TimeUnit.SECONDS);
            QueryAdapterFollower.Held adapter = adapter(request);
            List<float[]> vectors = adapter == null
                    ? embedded.vectors()
                    : embedded.vectors().stream().map(adapter.adapter()::apply).toList();
            return new EmbedResponse(
                    embeddings.model(),
                    embeddings.indexGeneration(),
                    vectors,
                    embedded.tokens(),
                    adapter == null ? null : adapter.digest());
        } catch (TimeoutException e) {
            throw new ProblemException(
                    HttpStatus.SERVICE_UNAVAILABLE,
                    "embedding-busy",
                    "The texts were not embedded within " + TIMEOUT_SECONDS
                            + " seconds. Send fewer at once, or try again when fewer documents are being indexed.",
                    e);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof Exception cause ? cause : e;
        }
    }

    /** Passages are never adapted: what is indexed stays as it is. */
    private QueryAdapterFollower.@Nullable Held adapter(EmbedRequest request) {
        String tenant = request.adaptedFor();
        return tenant == null || request.kind() != EmbedRequest.Kind.QUERY
                ? null
                : queryAdapters.of(tenant).orElse(null);
    }

    /** The JSON may lack what the record promises. */
    @SuppressWarnings("ConstantValue")
    private static void check(EmbedRequest request) {
        List<String> texts = request.texts();
        if (request.kind() == null || texts == null || texts.isEmpty()) {
            throw ProblemException.badRequest(
                    "embed-request", "Give kind, QUERY or PASSAGE, and texts, a list of at least one string.");
        }
        if (texts.size() > MAX_TEXTS) {
            throw ProblemException.badRequest(
                    "too-many-texts",
                    "At most " + MAX_TEXTS + " texts can be embedded at once, but there are " + texts.size()
                            + ". Split the request.");
        }
        for (int i = 0; i < texts.size(); i++) {
            String text = texts.get(i);
            if (text == null || text.isBlank()) {
                throw ProblemException.badRequest("empty-text", "Text " + i + " is empty; there is nothing to embed.");
            }
            if (text.length() > MAX_CHARACTERS) {
                throw ProblemException.badRequest(
                        "text-too-long",
                        "Text " + i + " has " + text.length() + " characters; at most " + MAX_CHARACTERS
                                + " are taken. Split it into chunks.");
            }
        }
    }
}
