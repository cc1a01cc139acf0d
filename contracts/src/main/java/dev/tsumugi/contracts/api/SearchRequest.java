package dev.tsumugi.contracts.api;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Body of {@code POST /api/v1/search}.
 *
 * @param limit 1 to 100, default 10
 * @param filter metadata that a document must carry, all of it
 */
public record SearchRequest(
        String query,
        @Nullable Integer limit,
        @Nullable SearchMode mode,
        @Nullable Map<String, String> filter) {}
