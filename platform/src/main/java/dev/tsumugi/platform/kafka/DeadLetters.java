package dev.tsumugi.platform.kafka;

import dev.tsumugi.contracts.Topics;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.springframework.kafka.core.KafkaTemplate;

/** Writes records that cannot be processed to {@code <topic>.DLT}, unchanged, with where they came from and why in headers. */
final class DeadLetters {
    static final String REASON = "tsumugi-reason";
    static final String TOPIC = "tsumugi-topic";
    static final String PARTITION = "tsumugi-partition";
    static final String OFFSET = "tsumugi-offset";

    private final KafkaTemplate<String, byte[]> kafka;

    DeadLetters(KafkaTemplate<String, byte[]> kafka) {
        this.kafka = kafka;
    }

    void send(ConsumerRecord<String, byte[]> record, String reason) {
        ProducerRecord<String, byte[]> letter =
                new ProducerRecord<>(record.topic() + Topics.DEAD_LETTER_SUFFIX, record.key(), record.value());
        for (Header header : record.headers()) {
            letter.headers().add(header);
        }
        add(letter, REASON, reason);
        add(letter, TOPIC, record.topic());
        add(letter, PARTITION, Integer.toString(record.partition()));
        add(letter, OFFSET, Long.toString(record.offset()));
        kafka.send(letter).join();
    }

    private static void add(ProducerRecord<String, byte[]> letter, String name, String value) {
        letter.headers().add(name, value.getBytes(StandardCharsets.UTF_8));
    }
}
