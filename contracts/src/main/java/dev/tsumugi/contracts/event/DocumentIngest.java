package dev.tsumugi.contracts.event;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Value of {@code document-ingest}: one document. Exactly one of {@code text}, {@code bytes} and {@code reference} is set; a null Kafka
 * value deletes the document that the key names.
 *
 * @param schemaVersion 1
 * @param title shown in search results; derived from the content when absent
 * @param contentType MIME type; detected from the content when absent
 * @param text inline text
 * @param bytes inline file content (base64 in JSON)
 * @param reference {@code blob:SHA256} of a blob that ingest-service stored for an upload
 * @param fileName helps type detection and titles
 * @param metadata free-form strings that search can filter by
 * @param acl principals that may read the document; empty: everyone of the tenant
 */
public record DocumentIngest(
        int schemaVersion,
        @Nullable String title,
        @Nullable String contentType,
        @Nullable String text,
        byte @Nullable [] bytes,
        @Nullable String reference,
        @Nullable String fileName,
        @Nullable Map<String, String> metadata,
        @Nullable List<String> acl) {
    public static final int SCHEMA_VERSION = 1;
}
