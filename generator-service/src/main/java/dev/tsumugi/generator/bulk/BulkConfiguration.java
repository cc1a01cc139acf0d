package dev.tsumugi.generator.bulk;

import dev.tsumugi.contracts.Topics;
import dev.tsumugi.generator.answer.Answers;
import dev.tsumugi.platform.kafka.EventCodec;
import dev.tsumugi.platform.kafka.EventPublisher;
import dev.tsumugi.platform.kafka.RecordWorkers;
import dev.tsumugi.platform.kafka.RecordWorkersFactory;
import dev.tsumugi.platform.web.InternalClients;
import java.time.Duration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** Consumes {@code generation-requests}. */
@Configuration(proxyBeanMethods = false)
class BulkConfiguration {
    private static final String GROUP = "generator";
    private static final Duration SEARCH_LIMIT = Duration.ofSeconds(30);

    @Bean
    RecordWorkers generationRequestWorkers(
            RecordWorkersFactory factory,
            EventCodec codec,
            EventPublisher publisher,
            InternalClients clients,
            Answers answers,
            BulkProperties properties) {
        GenerationRequestHandler handler = new GenerationRequestHandler(
                codec, publisher, clients.client(properties.retrieverUrl(), SEARCH_LIMIT), answers);
        return factory.create(Topics.GENERATION_REQUESTS, GROUP, properties.threads(), handler);
    }
}
