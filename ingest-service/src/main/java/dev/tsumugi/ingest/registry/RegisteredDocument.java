package dev.tsumugi.ingest.registry;

import dev.tsumugi.contracts.DocumentKey;
import dev.tsumugi.contracts.DocumentState;
import dev.tsumugi.contracts.api.DocumentView;
import java.time.Instant;
import java.util.Optional;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * A row of the registry.
 *
 * @param version of the content below; 0 while there is only an upload that waits
 * @param deleted the latest version is a deletion
 * @param title as shown: given, or found in the content
 * @param contentType as found in the content
 * @param published all chunks of this version, or its deletion, are in {@code document-chunks}
 * @param source the record that made this version
 * @param upload the upload whose record was not processed yet
 */
public record RegisteredDocument(
        DocumentKey key,
        long version,
        DocumentState state,
        boolean deleted,
        String contentHash,
        @Nullable DocumentContent content,
        @Nullable String title,
        @Nullable String contentType,
        int chunks,
        @Nullable String error,
        boolean published,
        @Nullable Source source,
        @Nullable Upload upload,
        Instant updatedAt) {

    /**
     * @param hash of the waiting content
     * @param event the encoded record of {@code document-ingest}
     */
    public record Upload(UUID id, String hash, byte[] event) {}

    /** What the REST interface shows: a waiting upload as received, for the last version's state says nothing about it. */
    public DocumentView view() {
        boolean waiting = upload != null;
        return new DocumentView(
                key.documentId(),
                version,
                waiting ? DocumentState.RECEIVED : state,
                waiting ? 0 : chunks,
                waiting ? null : error,
                title,
                contentType,
                updatedAt);
    }

    /** The upload that waits, if it is {@code id}. */
    public Optional<Upload> waitingUpload(@Nullable UUID id) {
        return Optional.ofNullable(upload).filter(waiting -> waiting.id().equals(id));
    }

    /** The content of the latest version is meant to be found. */
    public boolean isLive() {
        return version > 0 && !deleted && content != null;
    }

    /** This very content is in work or found already, so that sending it again changes nothing. A failed one may be tried again. */
    public boolean holds(String hash) {
        return isLive() && state != DocumentState.FAILED && contentHash.equals(hash);
    }
}
