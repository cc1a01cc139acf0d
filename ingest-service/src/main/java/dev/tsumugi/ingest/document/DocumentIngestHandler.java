package dev.tsumugi.ingest.document;

import dev.tsumugi.contracts.DocumentKey;
import dev.tsumugi.contracts.DocumentState;
import dev.tsumugi.contracts.event.DocumentIngest;
import dev.tsumugi.ingest.registry.DocumentContent;
import dev.tsumugi.ingest.registry.DocumentRegistry;
import dev.tsumugi.ingest.registry.RegisteredDocument;
import dev.tsumugi.ingest.registry.Source;
import dev.tsumugi.platform.kafka.EventCodec;
import dev.tsumugi.platform.kafka.InvalidEventException;
import dev.tsumugi.platform.kafka.RecordHandler;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.jspecify.annotations.Nullable;
import org.springframework.dao.OptimisticLockingFailureException;

/**
 * Serves {@code document-ingest}. A record makes a version in the registry first, under its offset; whatever happens after, the record
 * comes again until its chunks are published, and is then known by its offset.
 */
final class DocumentIngestHandler implements RecordHandler {
    private final DocumentRegistry registry;
    private final ContentSource contents;
    private final DocumentProcessor processor;
    private final DocumentPublisher publisher;
    private final EventCodec codec;

    DocumentIngestHandler(
            DocumentRegistry registry,
            ContentSource contents,
            DocumentProcessor processor,
            DocumentPublisher publisher,
            EventCodec codec) {
        this.registry = registry;
        this.contents = contents;
        this.processor = processor;
        this.publisher = publisher;
        this.codec = codec;
    }

    @Override
    public void handle(ConsumerRecord<String, byte[]> record) throws IOException, InterruptedException {
        DocumentKey key = keyOf(record);
        Source source = sourceOf(record);
        Optional<RegisteredDocument> known = registry.find(key);
        Source last = known.map(RegisteredDocument::source).orElse(null);
        if (known.isPresent() && last != null && source.isNotAfter(last)) {
            if (source.equals(last)) {
                resume(known.get(), aclOf(record));
            }
            return;
        }
        if (record.value() == null) {
            delete(key, source, known.map(RegisteredDocument::version).orElse(0L));
        } else {
            ingest(record, key, source, known.orElse(null));
        }
    }

    private void ingest(
            ConsumerRecord<String, byte[]> record, DocumentKey key, Source source, @Nullable RegisteredDocument known)
            throws IOException, InterruptedException {
        UUID upload = IngestHeaders.upload(record).orElse(null);
        if (IngestHeaders.isRepeated(record)
                && (known == null || known.waitingUpload(upload).isEmpty())) {
            // The first record of the upload came through; what came behind it must not be overwritten by the second.
            return;
        }
        OptionalLong reindexed = IngestHeaders.reindex(record);
        if (reindexed.isPresent() && (known == null || known.version() != reindexed.getAsLong() || !known.isLive())) {
            // The document changed after it was asked to be processed again.
            return;
        }
        DocumentIngest event = codec.decode(record.value(), DocumentIngest.class, DocumentIngest.SCHEMA_VERSION);
        DocumentContent content = contents.contentOf(event);
        if (known != null && known.holds(content.hash()) && reindexed.isEmpty()) {
            if (upload != null) {
                registry.settle(key, upload);
            }
            resume(known, content.acl());
            return;
        }
        long version = registry.begin(key, known == null ? 0 : known.version(), content, source, upload);
        processor.process(key, version, content);
    }

    private void delete(DocumentKey key, Source source, long after) {
        Optional<Long> version = registry.delete(key, after, source);
        if (version.isPresent()) {
            processor.delete(key, version.get());
        } else if (registry.find(key).filter(now -> now.version() != after).isPresent()) {
            throw new OptimisticLockingFailureException("another version of " + key + " was made at the same time");
        }
    }

    /**
     * Does again what a crash or an outage may have cut off behind the making of the version.
     *
     * @param acl whom the record names
     */
    private void resume(RegisteredDocument known, List<String> acl) throws IOException, InterruptedException {
        DocumentContent content = known.content();
        if (known.state() == DocumentState.FAILED) {
            // The registry knew of the failure first: nothing says that the index heard of the narrower ACL.
            publisher.restriction(known.key(), known.version(), acl);
            publisher.status(known.key(), known.version(), DocumentState.FAILED, 0, known.error());
        } else if (known.published()) {
            return;
        } else if (known.deleted()) {
            processor.delete(known.key(), known.version());
        } else if (content != null) {
            processor.process(known.key(), known.version(), content);
        }
    }

    @Override
    public boolean mayBeGivenUp(ConsumerRecord<String, byte[]> record) {
        return record.value() != null;
    }

    @Override
    public void deadLettered(ConsumerRecord<String, byte[]> record, String reason) {
        DocumentKey key;
        try {
            key = keyOf(record);
        } catch (InvalidEventException e) {
            // Nobody's document: the dead letter is all there is.
            return;
        }
        Source source = sourceOf(record);
        Optional<RegisteredDocument> known = registry.find(key);
        Source last = known.map(RegisteredDocument::source).orElse(null);
        List<String> acl = aclOf(record);
        long version;
        if (known.isPresent() && source.equals(last)) {
            version = known.get().version();
            registry.advance(key, version, DocumentState.FAILED, reason);
        } else if (last != null && source.isNotAfter(last)) {
            return;
        } else {
            version = registry.fail(
                    key,
                    known.map(RegisteredDocument::version).orElse(0L),
                    source,
                    IngestHeaders.upload(record).orElse(null),
                    acl,
                    reason);
        }
        publisher.restriction(key, version, acl);
        publisher.status(key, version, DocumentState.FAILED, 0, reason);
    }

    /** Whom the record means to let in, as far as it can be read; empty when it names nobody or breaks the rules for an ACL. */
    private List<String> aclOf(ConsumerRecord<String, byte[]> record) {
        try {
            List<String> acl = codec.decode(record.value(), DocumentIngest.class, DocumentIngest.SCHEMA_VERSION)
                    .acl();
            if (acl == null) {
                return List.of();
            }
            ContentRules.checkAcl(acl);
            return acl;
        } catch (InvalidEventException | IllegalArgumentException e) {
            return List.of();
        }
    }

    private static DocumentKey keyOf(ConsumerRecord<String, byte[]> record) {
        if (record.key() == null) {
            throw new InvalidEventException(
                    "the record has no key; it must be 'tenant/documentId', for example 'default/handbook'");
        }
        try {
            return DocumentKey.parse(record.key());
        } catch (IllegalArgumentException e) {
            throw new InvalidEventException(e.getMessage() == null ? "bad key" : e.getMessage(), e);
        }
    }

    private static Source sourceOf(ConsumerRecord<String, byte[]> record) {
        return new Source(record.partition(), record.offset(), record.timestamp());
    }
}
