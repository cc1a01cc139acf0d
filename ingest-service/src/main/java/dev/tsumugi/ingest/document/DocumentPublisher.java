package dev.tsumugi.ingest.document;

import dev.tsumugi.contracts.DocumentKey;
import dev.tsumugi.contracts.DocumentState;
import dev.tsumugi.contracts.Topics;
import dev.tsumugi.contracts.event.DocumentChunks;
import dev.tsumugi.contracts.event.DocumentChunks.Chunk;
import dev.tsumugi.contracts.event.DocumentStatus;
import dev.tsumugi.ingest.registry.DocumentContent;
import dev.tsumugi.platform.kafka.EventPublisher;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.jspecify.annotations.Nullable;
import org.springframework.kafka.core.KafkaTemplate;

/** Writes the events of ingest-service; every method returns when all in-sync replicas have them. */
final class DocumentPublisher {
    static final int MAX_PART_CHUNKS = 64;
    /** UTF-8 bytes of text in one part; with everything around it stays well below a megabyte. */
    static final int MAX_PART_BYTES = 400_000;

    private final EventPublisher events;
    private final KafkaTemplate<String, byte[]> kafka;
    private final Clock clock;

    DocumentPublisher(EventPublisher events, KafkaTemplate<String, byte[]> kafka, Clock clock) {
        this.events = events;
        this.kafka = kafka;
        this.clock = clock;
    }

    void status(DocumentKey key, long version, DocumentState state, int chunks, @Nullable String error) {
        events.sendAndWait(
                Topics.DOCUMENT_STATUS,
                key.toString(),
                new DocumentStatus(
                        DocumentStatus.SCHEMA_VERSION,
                        key.tenant(),
                        key.documentId(),
                        version,
                        state,
                        chunks,
                        error,
                        clock.instant()));
    }

    void chunks(DocumentKey key, long version, String title, DocumentContent content, List<Chunk> chunks) {
        List<List<Chunk>> parts = parts(chunks);
        String cut = cut(chunks);
        List<CompletableFuture<Void>> sends = new ArrayList<>();
        for (int part = 0; part < parts.size(); part++) {
            sends.add(events.send(
                    Topics.DOCUMENT_CHUNKS,
                    key.toString(),
                    new DocumentChunks(
                            DocumentChunks.SCHEMA_VERSION,
                            key.tenant(),
                            key.documentId(),
                            version,
                            content.hash(),
                            title,
                            content.metadata(),
                            content.acl(),
                            false,
                            part,
                            parts.size(),
                            parts.get(part),
                            cut)));
        }
        CompletableFuture.allOf(sends.toArray(CompletableFuture[]::new)).join();
    }

    void deletion(DocumentKey key, long version) {
        events.sendAndWait(Topics.DOCUMENT_CHUNKS, key.toString(), DocumentChunks.deletion(key, version));
    }

    /** Takes older versions from whoever is not named; a first version, and one for everyone, takes nothing from anybody. */
    void restriction(DocumentKey key, long version, List<String> acl) {
        if (version > 1 && !acl.isEmpty()) {
            events.sendAndWait(Topics.DOCUMENT_CHUNKS, key.toString(), DocumentChunks.restriction(key, version, acl));
        }
    }

    /** Writes a record of {@code document-ingest}; null deletes. */
    void ingest(DocumentKey key, byte @Nullable [] event, Map<String, String> headers) {
        ProducerRecord<String, byte[]> record = new ProducerRecord<>(Topics.DOCUMENT_INGEST, key.toString(), event);
        headers.forEach((name, value) -> record.headers().add(name, value.getBytes(StandardCharsets.UTF_8)));
        kafka.send(record).join();
    }

    /** The same for the same chunks only. */
    private static String cut(List<Chunk> chunks) {
        StringBuilder all = new StringBuilder();
        for (Chunk chunk : chunks) {
            all.append(chunk.start())
                    .append('-')
                    .append(chunk.end())
                    .append(' ')
                    .append(chunk.hash())
                    .append('\n');
        }
        return Sha256.hex(all.toString());
    }

    /** Consecutive chunks in groups that fit into one record; one empty group when there are none. */
    static List<List<Chunk>> parts(List<Chunk> chunks) {
        List<List<Chunk>> parts = new ArrayList<>();
        List<Chunk> part = new ArrayList<>();
        int bytes = 0;
        for (Chunk chunk : chunks) {
            int size = chunk.text().getBytes(StandardCharsets.UTF_8).length
                    + chunk.heading().getBytes(StandardCharsets.UTF_8).length;
            if (!part.isEmpty() && (part.size() == MAX_PART_CHUNKS || bytes + size > MAX_PART_BYTES)) {
                parts.add(List.copyOf(part));
                part.clear();
                bytes = 0;
            }
            part.add(chunk);
            bytes += size;
        }
        if (!part.isEmpty() || parts.isEmpty()) {
            parts.add(List.copyOf(part));
        }
        return parts;
    }
}
