package dev.tsumugi.ingest.document;

import dev.tsumugi.contracts.event.DocumentIngest;
import dev.tsumugi.ingest.blob.BlobStore;
import dev.tsumugi.ingest.blob.BlobTooLargeException;
import dev.tsumugi.ingest.registry.DocumentContent;
import dev.tsumugi.platform.kafka.InvalidEventException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** Brings the content of an event into the blob store, if it is not there already, so that it can be processed again at any time. */
final class ContentSource {
    static final String REFERENCE_PREFIX = "blob:";
    private static final String TEXT = "text/plain; charset=UTF-8";

    private final BlobStore blobs;
    private final long maxBytes;

    ContentSource(BlobStore blobs, long maxBytes) {
        this.blobs = blobs;
        this.maxBytes = maxBytes;
    }

    /** @throws InvalidEventException when the event does not hold exactly one content, or breaks {@link ContentRules} */
    DocumentContent contentOf(DocumentIngest event) throws IOException {
        int given =
                (event.text() == null ? 0 : 1) + (event.bytes() == null ? 0 : 1) + (event.reference() == null ? 0 : 1);
        if (given != 1) {
            throw new InvalidEventException(
                    "exactly one of the fields text, bytes and reference must be set, but " + given + " are");
        }
        try {
            // Before anything is stored: a record that breaks the rules leaves no blob behind.
            ContentRules.content(
                    "", event.contentType(), event.fileName(), event.title(), event.metadata(), event.acl());
            return ContentRules.content(
                    blobOf(event), typeOf(event), event.fileName(), event.title(), event.metadata(), event.acl());
        } catch (IllegalArgumentException e) {
            throw new InvalidEventException(e.getMessage() == null ? "invalid content" : e.getMessage(), e);
        } catch (BlobTooLargeException e) {
            throw new InvalidEventException("the content has more than " + maxBytes + " bytes", e);
        }
    }

    private String blobOf(DocumentIngest event) throws IOException {
        if (event.text() != null) {
            return store(event.text().getBytes(StandardCharsets.UTF_8));
        }
        if (event.bytes() != null) {
            return store(event.bytes());
        }
        String reference = event.reference();
        if (reference == null || !reference.startsWith(REFERENCE_PREFIX)) {
            throw new InvalidEventException(
                    "the field reference must be 'blob:' and the SHA-256 of an uploaded content, but starts with '"
                            + (reference == null ? "" : reference.substring(0, Math.min(reference.length(), 20)))
                            + "'");
        }
        return reference.substring(REFERENCE_PREFIX.length());
    }

    private String store(byte[] content) throws IOException {
        return blobs.store(new ByteArrayInputStream(content), maxBytes).hash();
    }

    /** Inline text was decoded by whoever wrote the event; what it is stored as is UTF-8 whatever was declared. */
    private static @Nullable String typeOf(DocumentIngest event) {
        String declared = event.contentType();
        if (event.text() == null) {
            return declared;
        }
        if (declared == null) {
            return event.fileName() == null ? TEXT : null;
        }
        return declared.split(";", 2)[0].strip() + "; charset=UTF-8";
    }
}
