package dev.tsumugi.contracts.api;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An answer with what it rests on.
 *
 * @param answered false when the documents do not hold the answer; {@code answer} then says so, and a citation, if there is one, is the
 *     passage that comes closest
 * @param degraded why the passages may not have been the best ones, as in {@link SearchResponse}; absent otherwise
 */
public record AskResponse(
        String answer,
        boolean answered,
        List<Citation> citations,
        Provenance provenance,
        Usage usage,
        Timings timings,
        @Nullable String degraded) {

    /**
     * @param marker the number that stands in the answer as {@code [1]}
     * @param quote the words of the document that support the answer
     * @param start offset of the quote in the parsed text, UTF-16 units
     */
    public record Citation(
            int marker, String documentId, String chunkId, String title, String quote, int start, int end) {}

    /**
     * What made the answer.
     *
     * @param adapter its name; absent: the bare model answered
     * @param adapterDigest of its content, for a name stands for another one tomorrow
     */
    public record Provenance(
            String model,
            @Nullable String adapter,
            @Nullable String adapterDigest,
            String indexGeneration,
            String promptVersion) {}

    public record Usage(int promptTokens, int completionTokens) {}

    /** Milliseconds since the question arrived, except where named otherwise. */
    public record Timings(long retrievalMillis, long firstTokenMillis, long totalMillis) {}
}
