package dev.tsumugi.platform.kafka;

import java.util.concurrent.CompletableFuture;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.jspecify.annotations.Nullable;
import org.springframework.kafka.core.KafkaTemplate;

/** Sends events; a send is done when all in-sync replicas have it. */
public final class EventPublisher {
    private final KafkaTemplate<String, byte[]> kafka;
    private final EventCodec codec;
    private final RecordSignatures signatures;

    EventPublisher(KafkaTemplate<String, byte[]> kafka, EventCodec codec, RecordSignatures signatures) {
        this.kafka = kafka;
        this.codec = codec;
        this.signatures = signatures;
    }

    /** @param event null deletes the key where the topic is compacted */
    public CompletableFuture<Void> send(String topic, String key, @Nullable Object event) {
        return kafka.send(topic, key, event == null ? null : codec.encode(event))
                .thenApply(result -> null);
    }

    /** As {@link #send}, and waits for it; throws what went wrong. */
    public void sendAndWait(String topic, String key, @Nullable Object event) {
        send(topic, key, event).join();
    }

    /** As {@link #sendAndWait}, signed for {@link RecordSignatures#isGenuine}. */
    public void sendSigned(String topic, String key, @Nullable Object event) {
        ProducerRecord<String, byte[]> record =
                new ProducerRecord<>(topic, key, event == null ? null : codec.encode(event));
        signatures.sign(record);
        kafka.send(record).join();
    }
}
