package dev.tsumugi.contracts.api;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Body of embed-service's {@code POST /internal/embed}.
 *
 * @param adaptedFor the tenant whose query adapter, if there is one, is applied to questions; absent: the embedding model alone
 */
public record EmbedRequest(
        Kind kind, List<String> texts, @Nullable String adaptedFor) {

    /** By the embedding model alone. */
    public EmbedRequest(Kind kind, List<String> texts) {
        this(kind, texts, null);
    }

    /** E5 models tell questions from passages by a prefix. */
    public enum Kind {
        QUERY,
        PASSAGE
    }
}
