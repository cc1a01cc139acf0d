package dev.tsumugi.contracts.api;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Body of generator-service's {@code POST /internal/answer}: a question with the passages that may answer it, best first.
 *
 * @param retrievalMillis time that retrieval took, for {@link AskResponse.Timings}
 * @param degraded that of the {@link SearchResponse}
 */
public record AnswerRequest(
        String question,
        List<SearchResponse.Hit> passages,
        String indexGeneration,
        @Nullable String adapter,
        @Nullable List<AskRequest.Turn> history,
        long retrievalMillis,
        @Nullable String degraded) {}
