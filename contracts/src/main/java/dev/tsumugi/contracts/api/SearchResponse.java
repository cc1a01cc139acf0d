package dev.tsumugi.contracts.api;

import java.util.List;

/** @param indexGeneration the embedding model generation that was searched */
public record SearchResponse(List<Hit> hits, String indexGeneration) {

    /**
     * @param score fused score for hybrid, cosine similarity for vector, BM25-like rank for lexical; comparable within one response only
     * @param similarity cosine similarity of query and chunk, whatever the mode
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
