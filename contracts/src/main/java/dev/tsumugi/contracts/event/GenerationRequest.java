package dev.tsumugi.contracts.event;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Value of {@code generation-requests}: one question to be answered from the documents. The key is {@code tenant/requestId}.
 *
 * @param limit passages to retrieve, 1 to 20; 5 when absent
 * @param adapter a name, {@code none}, or absent for the promoted one
 * @param principals whose documents may be read; absent: only those open to everyone of the tenant
 */
public record GenerationRequest(
        int schemaVersion,
        String question,
        @Nullable Integer limit,
        @Nullable String adapter,
        @Nullable List<String> principals) {
    public static final int SCHEMA_VERSION = 1;
}
