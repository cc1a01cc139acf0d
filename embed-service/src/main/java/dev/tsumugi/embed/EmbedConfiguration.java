package dev.tsumugi.embed;

import dev.tsumugi.contracts.Topics;
import dev.tsumugi.embed.model.ModelFiles;
import dev.tsumugi.embed.model.OnnxEmbedder;
import dev.tsumugi.platform.kafka.EventCodec;
import dev.tsumugi.platform.kafka.EventPublisher;
import dev.tsumugi.platform.kafka.RecordSignatures;
import dev.tsumugi.platform.kafka.RecordWorkers;
import dev.tsumugi.platform.kafka.RecordWorkersFactory;
import dev.tsumugi.platform.web.InternalClients;
import io.micrometer.core.instrument.MeterRegistry;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.kafka.core.ConsumerFactory;

@Configuration(proxyBeanMethods = false)
@EnableConfigurationProperties(EmbedProperties.class)
class EmbedConfiguration {
    private static final Duration QUERY_ADAPTER_TIMEOUT = Duration.ofSeconds(10);
    private static final Duration KNOWN_CHUNKS_TIMEOUT = Duration.ofSeconds(2);

    @Bean
    OnnxEmbedder embedder(EmbedProperties properties) {
        ModelFiles files = properties.model().isBlank()
                ? ModelFiles.bundled(properties.cache())
                : ModelFiles.of(Path.of(properties.model()));
        return new OnnxEmbedder(files, properties.cache().resolve("native"), properties.effectiveThreads());
    }

    @Bean
    EmbeddingService embeddingService(OnnxEmbedder embedder, EmbedProperties properties, MeterRegistry meters) {
        return new EmbeddingService(embedder, properties.effectiveThreads(), properties.batchTokens(), meters);
    }

    @Bean
    QueryAdapterFollower queryAdapters(
            ConsumerFactory<String, byte[]> consumers,
            EventCodec codec,
            RecordSignatures signatures,
            InternalClients clients,
            EmbedProperties properties,
            OnnxEmbedder embedder,
            MeterRegistry meters) {
        return new QueryAdapterFollower(
                consumers,
                codec,
                signatures,
                clients.client(properties.trainerUrl(), QUERY_ADAPTER_TIMEOUT),
                embedder.indexGeneration(),
                meters);
    }

    @Bean
    KnownChunks knownChunks(InternalClients clients, EmbedProperties properties) {
        return new KnownChunks(clients.client(properties.retrieverUrl(), KNOWN_CHUNKS_TIMEOUT), Clock.systemUTC());
    }

    @Bean
    RecordWorkers documentChunksWorkers(
            RecordWorkersFactory factory,
            EventCodec codec,
            EventPublisher publisher,
            EmbeddingService embeddings,
            KnownChunks knownChunks,
            EmbedProperties properties) {
        DocumentChunksHandler handler =
                new DocumentChunksHandler(codec, publisher, embeddings, knownChunks, Clock.systemUTC());
        return factory.create(Topics.DOCUMENT_CHUNKS, "embed-service", properties.workers(), handler);
    }
}
