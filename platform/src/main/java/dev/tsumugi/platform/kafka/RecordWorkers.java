package dev.tsumugi.platform.kafka;

import java.io.IOException;
import java.sql.SQLException;
import java.sql.SQLNonTransientConnectionException;
import java.sql.SQLRecoverableException;
import java.sql.SQLTransientException;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.errors.RetriableException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.SmartLifecycle;
import org.springframework.kafka.listener.AcknowledgingMessageListener;
import org.springframework.kafka.listener.ConcurrentMessageListenerContainer;
import org.springframework.kafka.support.Acknowledgment;
import org.springframework.web.ErrorResponseException;
import org.springframework.web.client.ResourceAccessException;

/**
 * Consumes one topic: the poll thread only hands records over, a few workers process them, in order per key. An offset is committed when
 * its record and all before it are done, so a crash or a rebalance repeats records but loses none. The consumer keeps its partitions but
 * fetches nothing while records of the last poll are in work (the container pauses for asynchronous acknowledgments), which bounds what
 * waits here to {@code max.poll.records}.
 */
public final class RecordWorkers implements SmartLifecycle {
    private static final Logger log = LoggerFactory.getLogger(RecordWorkers.class);
    private static final int MAX_ATTEMPTS = 6;
    private static final Duration FIRST_DELAY = Duration.ofMillis(200);
    private static final Duration LONGEST_DELAY = Duration.ofSeconds(10);
    private static final Duration STOP_LIMIT = Duration.ofSeconds(5);

    private final ConcurrentMessageListenerContainer<String, byte[]> container;
    private final RecordHandler handler;
    private final DeadLetters deadLetters;
    private final int threads;
    private final String name;
    private final Map<String, CompletableFuture<Void>> lastOfKey = new HashMap<>();
    private @Nullable ExecutorService workers;
    private @Nullable ScheduledExecutorService retries;
    private volatile boolean running;

    RecordWorkers(
            String name,
            ConcurrentMessageListenerContainer<String, byte[]> container,
            int threads,
            RecordHandler handler,
            DeadLetters deadLetters) {
        this.name = name;
        this.container = container;
        this.threads = threads;
        this.handler = handler;
        this.deadLetters = deadLetters;
        container.setupMessageListener((AcknowledgingMessageListener<String, byte[]>)
                (record, acknowledgment) -> accept(record, acknowledgment));
    }

    @Override
    public synchronized void start() {
        synchronized (lastOfKey) {
            // What an earlier stop dropped will never be done; nothing may wait for it.
            lastOfKey.clear();
        }
        AtomicInteger count = new AtomicInteger();
        workers = Executors.newFixedThreadPool(
                threads, task -> new Thread(task, name + "-worker-" + count.incrementAndGet()));
        retries = Executors.newSingleThreadScheduledExecutor(task -> new Thread(task, name + "-retry"));
        running = true;
        container.start();
    }

    @Override
    public synchronized void stop() {
        if (!running) {
            return;
        }
        // Waiting records are dropped, not lost: their offsets are not committed. Those in work may finish and commit.
        running = false;
        if (retries != null) {
            retries.shutdownNow();
        }
        if (workers != null) {
            workers.shutdown();
            awaitWorkers(workers);
        }
        container.stop();
    }

    /** Beside the others of the service, so that their limits do not add up. */
    @Override
    public void stop(Runnable callback) {
        Thread.ofPlatform().name(name + "-stop").start(() -> {
            try {
                stop();
            } finally {
                callback.run();
            }
        });
    }

    private void awaitWorkers(ExecutorService pool) {
        try {
            if (!pool.awaitTermination(STOP_LIMIT.toMillis(), TimeUnit.MILLISECONDS)) {
                log.warn(
                        "{}: a record takes longer than {} to finish; it will be processed again after the next start",
                        name,
                        STOP_LIMIT);
                pool.shutdownNow();
            }
        } catch (InterruptedException e) {
            pool.shutdownNow();
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public boolean isRunning() {
        return running;
    }

    private void accept(ConsumerRecord<String, byte[]> record, @Nullable Acknowledgment acknowledgment) {
        if (!running) {
            return;
        }
        // Records without a key have no order to keep.
        String key = record.key() == null ? record.partition() + "@" + record.offset() : record.key();
        synchronized (lastOfKey) {
            CompletableFuture<Void> previous = lastOfKey.getOrDefault(key, CompletableFuture.completedFuture(null));
            CompletableFuture<Void> done = new CompletableFuture<>();
            lastOfKey.put(key, done);
            previous.thenRun(() -> submit(new Work(record, acknowledgment, done, key), 1));
        }
    }

    private record Work(
            ConsumerRecord<String, byte[]> record,
            @Nullable Acknowledgment acknowledgment,
            CompletableFuture<Void> done,
            String key) {}

    private void submit(Work work, int attempt) {
        ExecutorService pool = workers;
        if (running && pool != null && !pool.isShutdown()) {
            pool.execute(() -> process(work, attempt));
        }
    }

    private void process(Work work, int attempt) {
        if (!running) {
            return;
        }
        try {
            handler.handle(work.record());
            finish(work);
        } catch (InvalidEventException e) {
            deadLetter(work, e, attempt);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (Exception e) {
            if (isOutage(e) || attempt < MAX_ATTEMPTS || !mayBeGivenUp(work.record())) {
                retry(work, attempt, e);
            } else {
                deadLetter(work, e, attempt);
            }
        } catch (Error e) {
            // A record that exhausts the stack or the heap must not stop the ones behind it.
            log.error("{}: {} failed hard", name, describe(work.record()), e);
            if (mayBeGivenUp(work.record())) {
                deadLetter(work, e, attempt);
            } else {
                retry(work, attempt, e);
            }
        }
    }

    private boolean mayBeGivenUp(ConsumerRecord<String, byte[]> record) {
        try {
            return handler.mayBeGivenUp(record);
        } catch (RuntimeException | Error e) {
            // It cannot even be read.
            return true;
        }
    }

    private void retry(Work work, int attempt, Throwable cause) {
        long delay = Math.min(FIRST_DELAY.toMillis() << Math.min(attempt - 1, 16), LONGEST_DELAY.toMillis());
        log.warn(
                "{}: attempt {} at {} failed, next in {} ms: {}",
                name,
                attempt,
                describe(work.record()),
                delay,
                reasonOf(cause));
        ScheduledExecutorService timer = retries;
        if (running && timer != null && !timer.isShutdown()) {
            timer.schedule(() -> submit(work, attempt + 1), delay, TimeUnit.MILLISECONDS);
        }
    }

    private void deadLetter(Work work, Throwable cause, int attempt) {
        String reason = reasonOf(cause);
        try {
            deadLetters.send(work.record(), reason);
            handler.deadLettered(work.record(), reason);
            log.warn("{}: {} went to the dead-letter topic: {}", name, describe(work.record()), reason);
            finish(work);
        } catch (RuntimeException | Error e) {
            // Without its dead letter the record must not be passed over.
            retry(work, attempt, e);
        }
    }

    private void finish(Work work) {
        synchronized (lastOfKey) {
            lastOfKey.remove(work.key(), work.done());
        }
        if (work.acknowledgment() != null) {
            try {
                work.acknowledgment().acknowledge();
            } catch (IllegalStateException e) {
                log.debug("{}: {} belongs to another consumer by now", name, describe(work.record()));
            }
        }
        work.done().complete(null);
    }

    private static boolean isOutage(Throwable failure) {
        for (Throwable t = failure; t != null; t = t.getCause()) {
            if (t instanceof IOException
                    || t instanceof ResourceAccessException
                    || t instanceof RetriableException
                    || t instanceof SQLTransientException
                    || t instanceof SQLRecoverableException
                    || t instanceof SQLNonTransientConnectionException
                    || t instanceof ErrorResponseException response
                            // 401: a service was given another token, which is no fault of the record
                            && (response.getStatusCode().value() == 503
                                    || response.getStatusCode().value() == 429
                                    || response.getStatusCode().value() == 401)
                    || t instanceof SQLException sql
                            && sql.getSQLState() != null
                            // 08: connection, 53: disk full and the like, 57P: the server shuts down or starts,
                            // 40: serialization or deadlock
                            && (sql.getSQLState().startsWith("08")
                                    || sql.getSQLState().startsWith("53")
                                    || sql.getSQLState().startsWith("57P")
                                    || sql.getSQLState().startsWith("40"))) {
                return true;
            }
        }
        return false;
    }

    private static String reasonOf(Throwable failure) {
        Throwable t = failure;
        while (t instanceof CompletionException && t.getCause() != null) {
            t = t.getCause();
        }
        String message = t.getMessage();
        return t instanceof InvalidEventException && message != null
                ? message
                : t.getClass().getSimpleName() + (message == null ? "" : ": " + message);
    }

    private static String describe(ConsumerRecord<String, ?> record) {
        return record.topic() + "-" + record.partition() + "@" + record.offset() + " (key " + record.key() + ")";
    }
}
