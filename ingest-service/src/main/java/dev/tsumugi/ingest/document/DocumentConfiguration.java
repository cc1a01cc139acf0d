package dev.tsumugi.ingest.document;

import dev.tsumugi.contracts.Topics;
import dev.tsumugi.ingest.blob.BlobStore;
import dev.tsumugi.ingest.chunk.ChunkingProperties;
import dev.tsumugi.ingest.parse.DocumentParser;
import dev.tsumugi.ingest.parse.ParseLimits;
import dev.tsumugi.ingest.registry.DocumentRegistry;
import dev.tsumugi.platform.kafka.EventCodec;
import dev.tsumugi.platform.kafka.EventPublisher;
import dev.tsumugi.platform.kafka.RecordWorkers;
import dev.tsumugi.platform.kafka.RecordWorkersFactory;
import java.io.IOException;
import java.time.Clock;
import org.springframework.boot.context.event.ApplicationReadyEvent;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.ApplicationListener;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.scheduling.annotation.EnableScheduling;

@Configuration(proxyBeanMethods = false)
@EnableScheduling
@EnableConfigurationProperties({IngestProperties.class, ChunkingProperties.class})
class DocumentConfiguration {
    private static final String GROUP = "ingest-service";

    @Bean
    Clock clock() {
        return Clock.systemUTC();
    }

    @Bean
    BlobStore blobStore(IngestProperties properties, Clock clock) throws IOException {
        return new BlobStore(properties.blobs(), clock);
    }

    @Bean
    DocumentRegistry documentRegistry(JdbcClient jdbc, Clock clock) {
        return new DocumentRegistry(jdbc, clock);
    }

    @Bean
    DocumentParser documentParser(IngestProperties properties) {
        IngestProperties.Parsing parsing = properties.parsing();
        return new DocumentParser(new ParseLimits(
                parsing.timeout(),
                parsing.maxCharacters(),
                parsing.maxUnpacked().toBytes()));
    }

    @Bean
    DocumentPublisher documentPublisher(EventPublisher events, KafkaTemplate<String, byte[]> kafka, Clock clock) {
        return new DocumentPublisher(events, kafka, clock);
    }

    @Bean
    Uploads uploads(
            DocumentRegistry registry,
            BlobStore blobs,
            DocumentParser parser,
            DocumentPublisher publisher,
            EventCodec codec,
            IngestProperties properties) {
        return new Uploads(
                registry,
                blobs,
                parser,
                publisher,
                codec,
                properties.maxUpload().toBytes());
    }

    @Bean
    Housekeeping housekeeping(
            DocumentRegistry registry, BlobStore blobs, Uploads uploads, IngestProperties properties) {
        return new Housekeeping(registry, blobs, uploads, properties.uploadPatience(), properties.blobGrace());
    }

    @Bean
    RecordWorkers documentIngestWorkers(
            RecordWorkersFactory workers,
            DocumentRegistry registry,
            BlobStore blobs,
            DocumentParser parser,
            DocumentPublisher publisher,
            EventCodec codec,
            IngestProperties properties,
            ChunkingProperties chunking) {
        DocumentProcessor processor = new DocumentProcessor(registry, blobs, parser, chunking.chunker(), publisher);
        ContentSource contents = new ContentSource(blobs, properties.maxUpload().toBytes());
        return workers.create(
                Topics.DOCUMENT_INGEST,
                GROUP,
                properties.parsing().threads(),
                new DocumentIngestHandler(registry, contents, processor, publisher, codec));
    }

    @Bean
    RecordWorkers documentStatusWorkers(RecordWorkersFactory workers, DocumentRegistry registry, EventCodec codec) {
        return workers.create(Topics.DOCUMENT_STATUS, GROUP, 1, new DocumentStatusHandler(registry, codec));
    }

    /** In the background, for the service is ready without it. */
    @Bean
    ApplicationListener<ApplicationReadyEvent> warmUpParser(DocumentParser parser) {
        return event -> Thread.ofPlatform().daemon().name("warm-up").start(parser::warmUp);
    }
}
