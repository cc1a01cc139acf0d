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

    /**
     * False: tried again until it succeeds, as in an outage, instead of a few times. For records that take something out of sight, such as
     * a deletion: passed over, they would leave it to be read by those who may not. They hold nothing of their own that could fail.
     */
    default boolean mayBeGivenUp(ConsumerRecord<String, byte[]> record) {
        return true;
    }

    /** Called after the record went to the dead-letter topic, before its offset is committed. */
    default void deadLettered(ConsumerRecord<String, byte[]> record, String reason) {}
}
