package dev.tsumugi.platform.kafka;

import org.apache.kafka.clients.consumer.ConsumerRecord;

/** What a service does with a record of a topic, whose value may be null; called on a worker thread, in order per key. */
@FunctionalInterface
public interface RecordHandler {
    /**
     * Returning normally means that everything that follows from the record is durable. {@link InvalidEventException} dead-letters the
     * record at once, an outage of something else (network, database) is retried until it ends, any other exception a few times.
     */
    void handle(ConsumerRecord<String, byte[]> record) throws Exception;

    /** Called after the record went to the dead-letter topic, before its offset is committed. */
    default void deadLettered(ConsumerRecord<String, byte[]> record, String reason) {}
}
