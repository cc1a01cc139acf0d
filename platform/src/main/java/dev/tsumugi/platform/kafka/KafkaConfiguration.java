package dev.tsumugi.platform.kafka;

import dev.tsumugi.contracts.Topics;
import dev.tsumugi.platform.PlatformProperties;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.config.TopicConfig;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.kafka.core.ConsumerFactory;
import org.springframework.kafka.core.KafkaAdmin;
import org.springframework.kafka.core.KafkaTemplate;

/** For services that touch Kafka: the topics, the codec, the publisher, and the factory of consumers. */
@Configuration(proxyBeanMethods = false)
public class KafkaConfiguration {
    private static final Duration EVENTS = Duration.ofDays(7);
    private static final Duration DEAD = Duration.ofDays(28);
    private static final int MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

    @Bean
    EventCodec eventCodec() {
        return new EventCodec();
    }

    @Bean
    RecordSignatures recordSignatures(PlatformProperties properties) {
        return new RecordSignatures(properties.internalToken());
    }

    @Bean
    EventPublisher eventPublisher(KafkaTemplate<String, byte[]> kafka, EventCodec codec, RecordSignatures signatures) {
        return new EventPublisher(kafka, codec, signatures);
    }

    @Bean
    RecordWorkersFactory recordWorkersFactory(
            ConsumerFactory<String, byte[]> consumers,
            KafkaTemplate<String, byte[]> kafka,
            PlatformProperties properties) {
        return new RecordWorkersFactory(consumers, kafka, properties.kafka().member());
    }

    /** Every service creates what is missing, so that none depends on another's start. */
    @Bean
    KafkaAdmin.NewTopics topics(PlatformProperties properties) {
        List<String> streams = List.of(
                Topics.DOCUMENT_INGEST,
                Topics.DOCUMENT_CHUNKS,
                Topics.CHUNK_EMBEDDINGS,
                Topics.GENERATION_REQUESTS,
                Topics.GENERATION_RESULTS,
                Topics.ADAPTER_STATUS);
        List<String> tables = List.of(Topics.DOCUMENT_STATUS, Topics.TRAINING_EXAMPLES, Topics.ADAPTER_REGISTRY);
        PlatformProperties.Kafka kafka = properties.kafka();
        Stream<NewTopic> all = Stream.of(
                        streams.stream().map(name -> topic(name, kafka, retention(EVENTS))),
                        tables.stream()
                                .map(name -> topic(
                                        name,
                                        kafka,
                                        Map.of(TopicConfig.CLEANUP_POLICY_CONFIG, TopicConfig.CLEANUP_POLICY_COMPACT))),
                        Stream.concat(streams.stream(), tables.stream())
                                .map(name -> topic(name + Topics.DEAD_LETTER_SUFFIX, kafka, retention(DEAD))))
                .flatMap(topics -> topics);
        return new KafkaAdmin.NewTopics(all.toArray(NewTopic[]::new));
    }

    private static Map<String, String> retention(Duration time) {
        return Map.of(TopicConfig.RETENTION_MS_CONFIG, Long.toString(time.toMillis()));
    }

    private static NewTopic topic(String name, PlatformProperties.Kafka kafka, Map<String, String> settings) {
        Map<String, String> all = new java.util.HashMap<>(settings);
        all.put(TopicConfig.MAX_MESSAGE_BYTES_CONFIG, Integer.toString(MAX_MESSAGE_BYTES));
        int partitions = name.endsWith(Topics.DEAD_LETTER_SUFFIX) ? 1 : kafka.partitions();
        return new NewTopic(name, partitions, kafka.replicas()).configs(all);
    }
}
