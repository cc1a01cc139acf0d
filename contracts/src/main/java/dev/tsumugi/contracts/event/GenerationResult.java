package dev.tsumugi.contracts.event;

import dev.tsumugi.contracts.api.AskResponse;
import org.jspecify.annotations.Nullable;

/**
 * Value of {@code generation-results}, under the key of its request.
 *
 * @param answer absent when it failed
 * @param error absent when it did not
 */
public record GenerationResult(
        int schemaVersion,
        String question,
        @Nullable AskResponse answer,
        @Nullable String error) {
    public static final int SCHEMA_VERSION = 1;
}
