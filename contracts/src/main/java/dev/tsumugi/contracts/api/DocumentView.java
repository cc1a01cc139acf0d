package dev.tsumugi.contracts.api;

import dev.tsumugi.contracts.DocumentState;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/** A document as {@code GET /api/v1/documents/{id}} shows it. */
public record DocumentView(
        String id,
        long version,
        DocumentState state,
        int chunks,
        @Nullable String error,
        @Nullable String title,
        @Nullable String contentType,
        @Nullable Instant updatedAt) {}
