package dev.tsumugi.contracts.api;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Body of {@code POST /api/v1/feedback}: what a reader thinks of an answer.
 *
 * @param rating {@code up} or {@code down}
 * @param correctedAnswer what the answer should have been
 * @param citations those of the answer
 * @param provenance that of the answer
 */
public record FeedbackRequest(
        String question,
        String answer,
        String rating,
        @Nullable String correctedAnswer,
        @Nullable String comment,
        @Nullable List<AskResponse.Citation> citations,
        AskResponse.@Nullable Provenance provenance) {}
