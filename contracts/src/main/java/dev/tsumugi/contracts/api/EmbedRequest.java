package dev.tsumugi.contracts.api;

import java.util.List;

/** Body of embed-service's {@code POST /internal/embed}. */
public record EmbedRequest(Kind kind, List<String> texts) {

    /** E5 models tell questions from passages by a prefix. */
    public enum Kind {
        QUERY,
        PASSAGE
    }
}
