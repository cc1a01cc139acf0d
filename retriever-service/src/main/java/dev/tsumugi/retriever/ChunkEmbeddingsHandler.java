package dev.tsumugi.retriever;

import dev.tsumugi.contracts.DocumentKey;
import dev.tsumugi.contracts.DocumentState;
import dev.tsumugi.contracts.Topics;
import dev.tsumugi.contracts.api.EmbedRequest;
import dev.tsumugi.contracts.api.EmbedRequest.Kind;
import dev.tsumugi.contracts.api.EmbedResponse;
import dev.tsumugi.contracts.event.ChunkEmbeddings;
import dev.tsumugi.contracts.event.DocumentChunks;
import dev.tsumugi.contracts.event.DocumentStatus;
import dev.tsumugi.platform.kafka.EventCodec;
import dev.tsumugi.platform.kafka.EventPublisher;
import dev.tsumugi.platform.kafka.InvalidEventException;
import dev.tsumugi.platform.kafka.RecordHandler;
import dev.tsumugi.retriever.embedding.EmbedClient;
import dev.tsumugi.retriever.index.DocumentIndexer;
import dev.tsumugi.retriever.index.Outcome;
import java.time.Clock;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Brings {@code chunk-embeddings} into the index and tells {@code document-status} when a version is visible or gone. */
class ChunkEmbeddingsHandler implements RecordHandler {
    private static final Logger log = LoggerFactory.getLogger(ChunkEmbeddingsHandler.class);
    private static final int MAX_PARTS = 100_000;
    private static final int TEXTS_PER_CALL = 64;

    private final EventCodec codec;
    private final EventPublisher publisher;
    private final DocumentIndexer indexer;
    private final EmbedClient embedClient;
    private final Clock clock;

    ChunkEmbeddingsHandler(
            EventCodec codec, EventPublisher publisher, DocumentIndexer indexer, EmbedClient embedClient, Clock clock) {
        this.codec = codec;
        this.publisher = publisher;
        this.indexer = indexer;
        this.embedClient = embedClient;
        this.clock = clock;
    }

    @Override
    public void handle(ConsumerRecord<String, byte[]> record) {
        ChunkEmbeddings event = decode(record);
        check(event);
        Outcome outcome = indexer.apply(event, Map.of());
        if (outcome instanceof Outcome.NeedsVectors needed) {
            outcome = indexer.apply(event, embed(needed.texts(), event.indexGeneration()));
        }
        switch (outcome) {
            case Outcome.Indexed indexed ->
                publishStatus(record.key(), event.chunks(), DocumentState.INDEXED, indexed.chunks(), null);
            case Outcome.Deleted deleted -> publishStatus(record.key(), event.chunks(), DocumentState.DELETED, 0, null);
            case Outcome.Staged staged -> log.debug("{} waits for more parts", record.key());
            case Outcome.Restricted restricted -> log.debug("{} has fewer readers", record.key());
            case Outcome.Superseded superseded -> log.debug("{} has a newer version", record.key());
            case Outcome.NeedsVectors needed ->
                throw new IllegalStateException("vectors are missing although they were just made");
        }
    }

    @Override
    public boolean mayBeGivenUp(ConsumerRecord<String, byte[]> record) {
        DocumentChunks part = decode(record).chunks();
        return !part.deleted() && !part.restricts();
    }

    @Override
    public void deadLettered(ConsumerRecord<String, byte[]> record, String reason) {
        ChunkEmbeddings event;
        try {
            event = decode(record);
        } catch (InvalidEventException e) {
            log.error("a record of {} names no document and fails none: {}", record.topic(), e.getMessage());
            return;
        }
        publishStatus(
                record.key(), event.chunks(), DocumentState.FAILED, 0, "The document could not be indexed: " + reason);
    }

    /** Fails when the record does not say reliably which document it is about. */
    private ChunkEmbeddings decode(ConsumerRecord<String, byte[]> record) {
        ChunkEmbeddings event = codec.decode(record.value(), ChunkEmbeddings.class, ChunkEmbeddings.SCHEMA_VERSION);
        DocumentChunks part = event.chunks();
        try {
            String key = new DocumentKey(part.tenant(), part.documentId()).toString();
            if (!key.equals(record.key())) {
                throw new InvalidEventException("the record's key is not that of its document, " + key);
            }
        } catch (IllegalArgumentException e) {
            throw new InvalidEventException(e.getMessage() == null ? "bad document key" : e.getMessage(), e);
        }
        return event;
    }

    private static void check(ChunkEmbeddings event) {
        DocumentChunks part = event.chunks();
        if (!part.deleted()
                && !part.restricts()
                && (part.part() < 0 || part.part() >= part.parts() || part.parts() > MAX_PARTS)) {
            throw new InvalidEventException("part " + part.part() + " of " + part.parts() + " cannot be");
        }
        if (event.vectors().size() != part.chunks().size()) {
            throw new InvalidEventException("there are " + event.vectors().size() + " vectors for "
                    + part.chunks().size() + " chunks");
        }
    }

    private Map<String, float[]> embed(Map<String, String> texts, String generation) {
        Map<String, float[]> vectors = new HashMap<>();
        List<Map.Entry<String, String>> entries = new ArrayList<>(texts.entrySet());
        for (int from = 0; from < entries.size(); from += TEXTS_PER_CALL) {
            List<Map.Entry<String, String>> slice =
                    entries.subList(from, Math.min(from + TEXTS_PER_CALL, entries.size()));
            EmbedResponse response = embedClient.embed(new EmbedRequest(
                    Kind.PASSAGE, slice.stream().map(Map.Entry::getValue).toList()));
            if (!response.indexGeneration().equals(generation)) {
                throw new IllegalStateException("vectors of embedding model " + generation
                        + " are missing, and embed-service now runs " + response.indexGeneration()
                        + "; ingest the document again");
            }
            for (int i = 0; i < slice.size(); i++) {
                vectors.put(slice.get(i).getKey(), response.vectors().get(i));
            }
        }
        return vectors;
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
}
