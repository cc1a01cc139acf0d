package dev.tsumugi.ingest.document;

import dev.tsumugi.contracts.DocumentKey;
import dev.tsumugi.contracts.event.DocumentStatus;
import dev.tsumugi.ingest.registry.DocumentRegistry;
import dev.tsumugi.platform.kafka.EventCodec;
import dev.tsumugi.platform.kafka.InvalidEventException;
import dev.tsumugi.platform.kafka.RecordHandler;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** Follows {@code document-status}: what the services behind this one made of a version. Late and repeated news change nothing. */
final class DocumentStatusHandler implements RecordHandler {
    private final DocumentRegistry registry;
    private final EventCodec codec;

    DocumentStatusHandler(DocumentRegistry registry, EventCodec codec) {
        this.registry = registry;
        this.codec = codec;
    }

    @Override
    public void handle(ConsumerRecord<String, byte[]> record) {
        if (record.value() == null) {
            return;
        }
        DocumentStatus status = codec.decode(record.value(), DocumentStatus.class, DocumentStatus.SCHEMA_VERSION);
        DocumentKey key;
        try {
            key = new DocumentKey(status.tenant(), status.documentId());
        } catch (IllegalArgumentException e) {
            throw new InvalidEventException(e.getMessage() == null ? "bad document" : e.getMessage(), e);
        }
        switch (status.state()) {
            // These two are this service's own; it wrote them into the registry itself.
            case RECEIVED, PARSED -> {}
            case EMBEDDED, INDEXED, FAILED, DELETED ->
                registry.advance(key, status.version(), status.state(), status.error());
        }
    }
}
