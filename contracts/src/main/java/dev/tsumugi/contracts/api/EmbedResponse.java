package dev.tsumugi.contracts.api;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * @param queryAdapter digest of the query adapter that was applied
 * @param vectors unit length, one a text, in order
 * @param tokens tokens over all texts, special ones included
 */
public record EmbedResponse(
        String model,
        String indexGeneration,
        List<float[]> vectors,
        int tokens,
        @Nullable String queryAdapter) {}
