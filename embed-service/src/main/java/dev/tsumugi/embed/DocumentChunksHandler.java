package dev.tsumugi.embed;

import dev.tsumugi.contracts.DocumentKey;
import dev.tsumugi.contracts.DocumentState;
import dev.tsumugi.contracts.Topics;
import dev.tsumugi.contracts.api.EmbedRequest.Kind;
import dev.tsumugi.contracts.event.ChunkEmbeddings;
import dev.tsumugi.contracts.event.DocumentChunks;
import dev.tsumugi.contracts.event.DocumentChunks.Chunk;
import dev.tsumugi.contracts.event.DocumentStatus;
import dev.tsumugi.platform.kafka.EventCodec;
import dev.tsumugi.platform.kafka.EventPublisher;
import dev.tsumugi.platform.kafka.InvalidEventException;
import dev.tsumugi.platform.kafka.RecordHandler;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Passes each part of {@code document-chunks} on to {@code chunk-embeddings}, with vectors. */
class DocumentChunksHandler implements RecordHandler {
    private static final Logger log = LoggerFactory.getLogger(DocumentChunksHandler.class);

    private final EventCodec codec;
    private final EventPublisher publisher;
    private final EmbeddingService embeddings;
    private final KnownChunks knownChunks;
    private final Clock clock;

    DocumentChunksHandler(
            EventCodec codec,
            EventPublisher publisher,
            EmbeddingService embeddings,
            KnownChunks knownChunks,
            Clock clock) {
        this.codec = codec;
        this.publisher = publisher;
        this.embeddings = embeddings;
        this.knownChunks = knownChunks;
        this.clock = clock;
    }

    @Override
    public void handle(ConsumerRecord<String, byte[]> record) throws Exception {
        DocumentChunks part = decode(record);
        if (!part.restricts() && (part.part() < 0 || part.part() >= part.parts())) {
            throw new InvalidEventException("part " + part.part() + " of " + part.parts() + " cannot be");
        }
        List<byte @Nullable []> vectors = part.chunks().isEmpty() ? List.of() : vectors(part);
        ChunkEmbeddings event =
                new ChunkEmbeddings(ChunkEmbeddings.SCHEMA_VERSION, part, embeddings.indexGeneration(), vectors);
        publisher.sendAndWait(Topics.CHUNK_EMBEDDINGS, record.key(), event);
        // Parts of a document come in order, so after the last one all are embedded.
        if (!part.deleted() && !part.restricts() && part.part() == part.parts() - 1) {
            int chunks = part.chunks().isEmpty() ? 0 : part.chunks().getLast().index() + 1;
            publishStatus(record.key(), part, DocumentState.EMBEDDED, chunks, null);
        }
    }

    @Override
    public boolean mayBeGivenUp(ConsumerRecord<String, byte[]> record) {
        DocumentChunks part = decode(record);
        return !part.deleted() && !part.restricts();
    }

    @Override
    public void deadLettered(ConsumerRecord<String, byte[]> record, String reason) {
        DocumentChunks part;
        try {
            part = decode(record);
        } catch (InvalidEventException e) {
            log.error("a record of {} names no document and fails none: {}", record.topic(), e.getMessage());
            return;
        }
        publishStatus(record.key(), part, DocumentState.FAILED, 0, "The document could not be embedded: " + reason);
    }

    /** Fails when the record does not say reliably which document it is about. */
    private DocumentChunks decode(ConsumerRecord<String, byte[]> record) {
        DocumentChunks part = codec.decode(record.value(), DocumentChunks.class, DocumentChunks.SCHEMA_VERSION);
        try {
            String key = new DocumentKey(part.tenant(), part.documentId()).toString();
            if (!key.equals(record.key())) {
                throw new InvalidEventException("the record's key is not that of its document, " + key);
            }
        } catch (IllegalArgumentException e) {
            throw new InvalidEventException(e.getMessage() == null ? "bad document key" : e.getMessage(), e);
        }
        return part;
    }

    private List<byte @Nullable []> vectors(DocumentChunks part) throws Exception {
        // A first version cannot have been indexed before.
        Set<String> known = part.version() <= 1
                ? Set.of()
                : knownChunks.of(
                        part.tenant(),
                        part.documentId(),
                        part.chunks().stream().map(Chunk::hash).distinct().toList(),
                        embeddings.indexGeneration());
        List<String> texts = part.chunks().stream()
                .filter(chunk -> !known.contains(chunk.hash()))
                .map(Chunk::embeddedText)
                .toList();
        Iterator<float[]> embedded = embed(texts).iterator();
        List<byte @Nullable []> vectors = new ArrayList<>(part.chunks().size());
        for (Chunk chunk : part.chunks()) {
            vectors.add(known.contains(chunk.hash()) ? null : bytes(embedded.next()));
        }
        return vectors;
    }

    private List<float[]> embed(List<String> texts) throws Exception {
        try {
            return embeddings.embed(Kind.PASSAGE, texts).get().vectors();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof Exception cause) {
                throw cause;
            }
            throw e;
        }
    }

    private void publishStatus(
            String key, DocumentChunks part, DocumentState state, int chunks, @Nullable String error) {
        publisher.sendAndWait(
                Topics.DOCUMENT_STATUS,
                key,
                new DocumentStatus(
                        DocumentStatus.SCHEMA_VERSION,
                        part.tenant(),
                        part.documentId(),
                        part.version(),
                        state,
                        chunks,
                        error,
                        clock.instant()));
    }

    private static byte[] bytes(float[] vector) {
        ByteBuffer bytes = ByteBuffer.allocate(vector.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(vector);
        return bytes.array();
    }
}
