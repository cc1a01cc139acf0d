package dev.tsumugi.platform.kafka;

import dev.tsumugi.platform.PlatformProperties;
import java.time.Duration;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.jspecify.annotations.Nullable;
import org.springframework.kafka.core.ConsumerFactory;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.listener.ConcurrentMessageListenerContainer;
import org.springframework.kafka.listener.ContainerProperties;

/** Makes the consumers of a service; declare each as a bean so that it starts and stops with the context. */
public final class RecordWorkersFactory {
    private final ConsumerFactory<String, byte[]> consumers;
    private final DeadLetters deadLetters;
    private final @Nullable String member;

    /** @param member see {@link PlatformProperties.Kafka#member()} */
    RecordWorkersFactory(
            ConsumerFactory<String, byte[]> consumers, KafkaTemplate<String, byte[]> kafka, @Nullable String member) {
        this.consumers = consumers;
        this.member = member;
        this.deadLetters = new DeadLetters(kafka);
    }

    /**
     * @param group consumer group; replicas of a service share it
     * @param threads how many records are processed at once
     */
    public RecordWorkers create(String topic, String group, int threads, RecordHandler handler) {
        ContainerProperties properties = new ContainerProperties(topic);
        properties.setGroupId(group);
        properties.setAckMode(ContainerProperties.AckMode.MANUAL);
        properties.setAsyncAcks(true);
        properties.setPollTimeout(500);
        properties.setShutdownTimeout(5_000);
        // Paused means that records are in work: look often whether they are done.
        properties.setPollTimeoutWhilePaused(Duration.ofMillis(10));
        if (member != null) {
            // A service may consume several topics in one group, in which every consumer needs a name of its own.
            properties
                    .getKafkaConsumerProperties()
                    .setProperty(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG, member + "." + topic);
        }
        ConcurrentMessageListenerContainer<String, byte[]> container =
                new ConcurrentMessageListenerContainer<>(consumers, properties);
        container.setBeanName(group + "." + topic);
        return new RecordWorkers(group + "." + topic, container, threads, handler, deadLetters);
    }
}
