package dev.tsumugi.platform.kafka;

import dev.tsumugi.contracts.Topics;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.header.Header;
import org.springframework.kafka.core.KafkaTemplate;

/**
 * Writes records that cannot be processed to {@code <topic>.DLT}, unchanged, with where they came from and why in headers. Of a record that
 * is too large with these headers only the headers are written.
 */
final class DeadLetters {
    static final String REASON = "tsumugi-reason";
    static final String TOPIC = "tsumugi-topic";
    static final String PARTITION = "tsumugi-partition";
    static final String OFFSET = "tsumugi-offset";

    private static final int MAX_REASON = 2000;
    private static final int MAX_KEY = 1000;

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
        describe(letter, record, reason);
        try {
            kafka.send(letter).join();
        } catch (RuntimeException e) {
            if (!isTooLarge(e)) {
                throw e;
            }
            kafka.send(withoutContent(record, reason)).join();
        }
    }

    /**
     * For a record that was just small enough for its own topic, or compressed there. The value is empty, not null, which would mean a
     * deletion; the headers tell where the whole record is.
     */
    private static ProducerRecord<String, byte[]> withoutContent(ConsumerRecord<String, byte[]> record, String reason) {
        String key = record.key() == null || record.key().length() <= MAX_KEY
                ? record.key()
                : record.key().substring(0, MAX_KEY);
        ProducerRecord<String, byte[]> letter =
                new ProducerRecord<>(record.topic() + Topics.DEAD_LETTER_SUFFIX, key, new byte[0]);
        describe(letter, record, reason);
        return letter;
    }

    private static void describe(
            ProducerRecord<String, byte[]> letter, ConsumerRecord<String, byte[]> record, String reason) {
        add(letter, REASON, reason.length() <= MAX_REASON ? reason : reason.substring(0, MAX_REASON) + "...");
        add(letter, TOPIC, record.topic());
        add(letter, PARTITION, Integer.toString(record.partition()));
        add(letter, OFFSET, Long.toString(record.offset()));
    }

    private static boolean isTooLarge(Throwable failure) {
        for (Throwable t = failure; t != null; t = t.getCause()) {
            if (t instanceof RecordTooLargeException) {
                return true;
            }
        }
        return false;
    }

    private static void add(ProducerRecord<String, byte[]> letter, String name, String value) {
        letter.headers().add(name, value.getBytes(StandardCharsets.UTF_8));
    }
}
