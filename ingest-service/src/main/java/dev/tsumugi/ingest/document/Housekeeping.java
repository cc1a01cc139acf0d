package dev.tsumugi.ingest.document;

import dev.tsumugi.ingest.blob.BlobStore;
import dev.tsumugi.ingest.registry.DocumentRegistry;
import dev.tsumugi.ingest.registry.RegisteredDocument;
import java.io.IOException;
import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.scheduling.annotation.Scheduled;

/** What a crash may leave behind, and contents that nothing needs any more. */
class Housekeeping {
    private static final Logger log = LoggerFactory.getLogger(Housekeeping.class);
    private static final int UPLOADS_AT_ONCE = 200;

    private final DocumentRegistry registry;
    private final BlobStore blobs;
    private final Uploads uploads;
    private final Duration uploadPatience;
    private final Duration blobGrace;

    Housekeeping(
            DocumentRegistry registry, BlobStore blobs, Uploads uploads, Duration uploadPatience, Duration blobGrace) {
        this.registry = registry;
        this.blobs = blobs;
        this.uploads = uploads;
        this.uploadPatience = uploadPatience;
        this.blobGrace = blobGrace;
    }

    /** Writes the records of uploads that still wait: a crash may have come between the registry and the topic. */
    @Scheduled(fixedDelayString = "PT1M", initialDelayString = "PT1M")
    void sendOverdueUploads() {
        for (RegisteredDocument document : registry.overdueUploads(uploadPatience, UPLOADS_AT_ONCE)) {
            RegisteredDocument.Upload upload = document.upload();
            if (upload != null) {
                uploads.sendAgain(document.key(), upload);
            }
        }
    }

    @Scheduled(fixedDelayString = "PT15M", initialDelayString = "PT5M")
    void collectBlobs() throws IOException {
        int deleted = blobs.collect(blobGrace, registry::refersTo);
        if (deleted > 0) {
            log.info("deleted {} blobs that no document refers to", deleted);
        }
    }
}
