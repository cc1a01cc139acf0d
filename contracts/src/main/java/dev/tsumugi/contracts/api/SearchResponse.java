package dev.tsumugi.contracts.api;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * @param indexGeneration the embedding model generation that was searched; empty when words alone were
 * @param degraded why the hits are not what was asked for, such as vectors that could not be searched; absent otherwise
 */
public record SearchResponse(
        List<Hit> hits, String indexGeneration, @Nullable String degraded) {

    /**
     * @param score fused score for hybrid, cosine similarity for vector, BM25-like rank for lexical; comparable within one response only
     * @param similarity cosine similarity of query and chunk; 0 where words alone were searched
     * @param start offset of the chunk in the parsed text, UTF-16 units
     */
    public record Hit(
            String documentId,
            String chunkId,
            long version,
            String title,
            String heading,
            String text,
            double score,
            double similarity,
            int start,
            int end) {}
}
