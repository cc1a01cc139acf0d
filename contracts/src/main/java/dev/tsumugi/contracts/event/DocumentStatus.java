package dev.tsumugi.contracts.event;

import dev.tsumugi.contracts.DocumentState;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * Value of {@code document-status}.
 *
 * @param chunks number of chunks of this version, 0 before it is parsed
 * @param error what went wrong and what to do, only with {@link DocumentState#FAILED}
 */
public record DocumentStatus(
        int schemaVersion,
        String tenant,
        String documentId,
        long version,
        DocumentState state,
        int chunks,
        @Nullable String error,
        Instant at) {
    public static final int SCHEMA_VERSION = 1;
}
