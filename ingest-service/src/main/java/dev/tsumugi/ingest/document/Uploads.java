package dev.tsumugi.ingest.document;

import dev.tsumugi.contracts.DocumentKey;
import dev.tsumugi.contracts.DocumentState;
import dev.tsumugi.contracts.api.DocumentView;
import dev.tsumugi.contracts.event.DocumentIngest;
import dev.tsumugi.ingest.blob.BlobStore;
import dev.tsumugi.ingest.blob.BlobTooLargeException;
import dev.tsumugi.ingest.parse.DocumentParser;
import dev.tsumugi.ingest.parse.UnparsableDocumentException;
import dev.tsumugi.ingest.parse.UnsupportedDocumentTypeException;
import dev.tsumugi.ingest.registry.DocumentContent;
import dev.tsumugi.ingest.registry.DocumentRegistry;
import dev.tsumugi.ingest.registry.RegisteredDocument;
import dev.tsumugi.platform.kafka.EventCodec;
import dev.tsumugi.platform.web.Caller;
import dev.tsumugi.platform.web.ProblemException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpStatus;

/**
 * Takes documents in by REST: stores the content, notes that an upload waits, writes a record that refers to the content, and answers.
 * The version is counted when the record is processed, in the order of the topic, like those of all other records; until then the
 * document shows as received. A crash in between loses nothing that was answered, and {@link Housekeeping} finishes the rest.
 */
final class Uploads {
    private final DocumentRegistry registry;
    private final BlobStore blobs;
    private final DocumentParser parser;
    private final DocumentPublisher publisher;
    private final EventCodec codec;
    private final long maxBytes;

    Uploads(
            DocumentRegistry registry,
            BlobStore blobs,
            DocumentParser parser,
            DocumentPublisher publisher,
            EventCodec codec,
            long maxBytes) {
        this.registry = registry;
        this.blobs = blobs;
        this.parser = parser;
        this.publisher = publisher;
        this.codec = codec;
        this.maxBytes = maxBytes;
    }

    /** What comes with the content; all of it may be absent. */
    record Description(
            @Nullable String contentType,
            @Nullable String fileName,
            @Nullable String title,
            Map<String, String> metadata,
            List<String> acl) {}

    DocumentView put(Caller caller, String id, Description description, InputStream body) throws IOException {
        DocumentKey key = key(caller, id);
        refuseForeign(caller, key);
        DocumentContent content = store(description, body);
        String hash = content.hash();
        // Once more: an upload takes its time.
        refuseForeign(caller, key);
        RegisteredDocument known = registry.find(key).orElse(null);
        if (known != null) {
            RegisteredDocument.Upload waiting = known.upload();
            if (waiting != null && waiting.hash().equals(hash)) {
                // Perhaps the record of the first try was never written; a second one does no harm.
                send(key, waiting);
                return known.view();
            }
            if (waiting == null && known.holds(hash)) {
                return known.view();
            }
        }
        RegisteredDocument.Upload upload = new RegisteredDocument.Upload(UUID.randomUUID(), hash, event(content));
        if (!registry.expect(key, upload, content, reader(caller))) {
            throw notYours(key);
        }
        send(key, upload);
        return registry.find(key).map(RegisteredDocument::view).orElseThrow(() -> unknown(id));
    }

    DocumentView get(Caller caller, String id) {
        key(caller, id);
        return registry.find(id, reader(caller)).map(RegisteredDocument::view).orElseThrow(() -> unknown(id));
    }

    DocumentView delete(Caller caller, String id) {
        DocumentKey key = key(caller, id);
        RegisteredDocument known = registry.find(id, reader(caller)).orElseThrow(() -> unknown(id));
        if (known.deleted() && known.upload() == null) {
            return known.view();
        }
        if (!registry.cancelUpload(key, reader(caller))) {
            // Somebody was quicker: gone, or with other readers by now.
            throw registry.find(key).isEmpty() ? unknown(id) : notYours(key);
        }
        publisher.ingest(key, null, Map.of());
        DocumentView now = known.view();
        return new DocumentView(
                now.id(),
                now.version(),
                DocumentState.RECEIVED,
                now.chunks(),
                null,
                now.title(),
                now.contentType(),
                now.updatedAt());
    }

    private void send(DocumentKey key, RegisteredDocument.Upload upload) {
        publisher.ingest(
                key, upload.event(), Map.of(IngestHeaders.UPLOAD, upload.id().toString()));
    }

    /** Writes the record of an upload that still waits, which may have been written before. */
    void sendAgain(DocumentKey key, RegisteredDocument.Upload upload) {
        publisher.ingest(
                key,
                upload.event(),
                Map.of(IngestHeaders.UPLOAD, upload.id().toString(), IngestHeaders.REPEATED, "true"));
    }

    /** Has every document that lives in {@code tenant} processed again under a new version; says how many. */
    int reindex(String tenant) {
        DocumentRegistry.Reader everything = new DocumentRegistry.Reader(tenant, List.of(), true);
        int count = 0;
        String after = "";
        List<RegisteredDocument> page;
        do {
            page = registry.page(everything, after, 200);
            for (RegisteredDocument document : page) {
                DocumentContent content = document.content();
                if (document.isLive() && content != null) {
                    publisher.ingest(
                            document.key(),
                            event(content),
                            Map.of(IngestHeaders.REINDEX, Long.toString(document.version())));
                    count++;
                }
                after = document.key().documentId();
            }
        } while (!page.isEmpty());
        return count;
    }

    static DocumentRegistry.Reader reader(Caller caller) {
        return new DocumentRegistry.Reader(caller.tenant(), caller.principals(), caller.readsAll());
    }

    static ProblemException unknown(String id) {
        return ProblemException.notFound("document-unknown", "There is no document '" + id + "'.");
    }

    private byte[] event(DocumentContent content) {
        return codec.encode(new DocumentIngest(
                DocumentIngest.SCHEMA_VERSION,
                content.title(),
                content.declaredType(),
                null,
                null,
                ContentSource.REFERENCE_PREFIX + content.blob(),
                content.fileName(),
                content.metadata(),
                content.acl()));
    }

    private static DocumentKey key(Caller caller, String id) {
        try {
            return new DocumentKey(caller.tenant(), id);
        } catch (IllegalArgumentException e) {
            throw ProblemException.badRequest("document-id", String.valueOf(e.getMessage()));
        }
    }

    /** Early, so that nobody uploads for nothing; what counts is the same check in the statement that writes. */
    private void refuseForeign(Caller caller, DocumentKey key) {
        if (registry.isForeign(key, reader(caller))) {
            throw notYours(key);
        }
    }

    private static ProblemException notYours(DocumentKey key) {
        return new ProblemException(
                HttpStatus.FORBIDDEN,
                "document-not-yours",
                "The document '" + key.documentId() + "' belongs to others. Choose another id.");
    }

    private DocumentContent store(Description description, InputStream body) throws IOException {
        // The bounds first: a bad header must not cost an upload.
        contentOf("", description);
        BlobStore.Blob blob;
        try {
            blob = blobs.store(body, maxBytes);
        } catch (BlobTooLargeException e) {
            throw tooLarge();
        }
        if (blob.size() == 0) {
            throw ProblemException.badRequest("document-empty", "The document is empty: the request has no body.");
        }
        Path file = blobs.find(blob.hash()).orElseThrow(() -> new IOException("blob " + blob.hash() + " vanished"));
        try {
            parser.detect(file, description.fileName(), description.contentType());
        } catch (UnsupportedDocumentTypeException e) {
            throw new ProblemException(
                    HttpStatus.UNSUPPORTED_MEDIA_TYPE, "document-type", String.valueOf(e.getMessage()), e);
        } catch (UnparsableDocumentException e) {
            // Damaged content gets its dead letter and its state like any other that cannot be parsed.
            return contentOf(blob.hash(), description);
        }
        return contentOf(blob.hash(), description);
    }

    ProblemException tooLarge() {
        return new ProblemException(
                HttpStatus.CONTENT_TOO_LARGE,
                "document-too-large",
                "A document may have at most " + maxBytes + " bytes (" + (maxBytes >> 20) + " MB). Split it.");
    }

    long maxBytes() {
        return maxBytes;
    }

    private static DocumentContent contentOf(String blob, Description description) {
        try {
            return ContentRules.content(
                    blob,
                    description.contentType(),
                    description.fileName(),
                    description.title(),
                    description.metadata(),
                    description.acl());
        } catch (IllegalArgumentException e) {
            throw ProblemException.badRequest("document-header", e.getMessage() + ".");
        }
    }
}
