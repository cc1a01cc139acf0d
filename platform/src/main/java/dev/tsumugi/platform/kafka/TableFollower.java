package dev.tsumugi.platform.kafka;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.WakeupException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.kafka.core.ConsumerFactory;

/**
 * Reads a compacted topic on a thread of its own: all of it from its beginning, whoever else reads it, and then what is added. What goes wrong
 * is logged, and the topic is read from its beginning again: a table must not fall silent while its service runs.
 */
public final class TableFollower {
    private static final Logger log = LoggerFactory.getLogger(TableFollower.class);
    private static final Duration CALL_LIMIT = Duration.ofSeconds(30);
    private static final Duration AFTER_FAILURE = Duration.ofSeconds(2);
    private static final Duration STOP_LIMIT = Duration.ofSeconds(2);

    /** What is made of the records; called on the follower's thread only. */
    public interface Table {
        /** A record, or the one that took its place; again from the first one after a failure. */
        void take(ConsumerRecord<String, byte[]> record);

        /**
         * After each look at the topic.
         *
         * @param complete whether all has been taken that was there when reading began: before that, what was replaced long ago may seem to hold
         * @return how long to wait for records until the next look
         */
        Duration looked(boolean complete);
    }

    /** Makes the table, on the follower's thread, before anything is read. */
    @FunctionalInterface
    public interface Opening {
        /** @return null to leave the topic alone for good */
        @Nullable
        Table open() throws InterruptedException;
    }

    private final String topic;
    private final ConsumerFactory<String, byte[]> consumers;
    private final Opening opening;
    private final CountDownLatch stopping = new CountDownLatch(1);
    private final Thread thread;

    private volatile @Nullable Consumer<String, byte[]> consumer;

    /** @param name of the thread */
    public TableFollower(String name, String topic, ConsumerFactory<String, byte[]> consumers, Opening opening) {
        this.topic = topic;
        this.consumers = consumers;
        this.opening = opening;
        thread = Thread.ofPlatform().name(name).daemon().unstarted(this::run);
    }

    /** Once only. */
    public void start() {
        thread.start();
    }

    /** Gives what is being done a moment to end. */
    public void stop() {
        stopping.countDown();
        Consumer<String, byte[]> reader = consumer;
        if (reader != null) {
            reader.wakeup();
        }
        try {
            if (thread.isAlive() && !thread.join(STOP_LIMIT)) {
                thread.interrupt();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** From {@link #start} until it is stopped or there is no table. */
    public boolean isRunning() {
        return thread.isAlive() && !isStopping();
    }

    private boolean isStopping() {
        return stopping.getCount() == 0;
    }

    private void run() {
        try {
            Table table = opening.open();
            while (table != null && !isStopping()) {
                try {
                    follow(table);
                } catch (WakeupException | InterruptException e) {
                    return;
                } catch (RuntimeException e) {
                    log.warn("{} cannot be read; tried again: {}", topic, e.toString());
                } catch (Error e) {
                    log.error("{} cannot be followed; tried again", topic, e);
                }
                stopping.await(AFTER_FAILURE.toMillis(), TimeUnit.MILLISECONDS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void follow(Table table) {
        try (Consumer<String, byte[]> reader = consumers.createConsumer()) {
            consumer = reader;
            List<TopicPartition> partitions = reader.partitionsFor(topic, CALL_LIMIT).stream()
                    .map(partition -> new TopicPartition(partition.topic(), partition.partition()))
                    .toList();
            reader.assign(partitions);
            reader.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = new HashMap<>(reader.endOffsets(partitions, CALL_LIMIT));
            Duration wait = Duration.ZERO;
            while (!isStopping()) {
                reader.poll(wait).forEach(table::take);
                ends.entrySet().removeIf(end -> reader.position(end.getKey(), CALL_LIMIT) >= end.getValue());
                wait = table.looked(ends.isEmpty());
            }
        } finally {
            consumer = null;
        }
    }
}
