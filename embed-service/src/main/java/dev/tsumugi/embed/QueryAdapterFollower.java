package dev.tsumugi.embed;

import dev.tsumugi.contracts.AdapterKey;
import dev.tsumugi.contracts.Topics;
import dev.tsumugi.contracts.event.AdapterRegistration;
import dev.tsumugi.platform.adapters.QueryAdapter;
import dev.tsumugi.platform.kafka.EventCodec;
import dev.tsumugi.platform.kafka.InvalidEventException;
import dev.tsumugi.platform.kafka.RecordSignatures;
import dev.tsumugi.platform.web.ProblemException;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.SmartLifecycle;
import org.springframework.kafka.core.ConsumerFactory;
import org.springframework.web.client.ResourceAccessException;
import org.springframework.web.client.RestClient;

/**
 * Reads {@code adapter-registry} from its beginning and holds the query adapter that goes with each tenant's promoted adapter. Until one is
 * here, or when it cannot be had, questions are embedded without: the index is the same.
 */
final class QueryAdapterFollower implements SmartLifecycle {
    private static final Logger log = LoggerFactory.getLogger(QueryAdapterFollower.class);
    /** Of an adapter's metrics: SHA-256 of its query adapter. */
    private static final String METRIC = "queryAdapter";

    private static final Duration POLL = Duration.ofMillis(250);
    private static final Duration CALL_LIMIT = Duration.ofSeconds(30);
    private static final Duration AFTER_FAILURE = Duration.ofSeconds(2);
    private static final Duration AFTER_REFUSAL = Duration.ofMinutes(5);

    private final ConsumerFactory<String, byte[]> consumers;
    private final EventCodec codec;
    private final RecordSignatures signatures;
    private final RestClient trainer;
    private final String indexGeneration;
    private final Map<AdapterKey, AdapterRegistration> registered = new HashMap<>();
    /** Until when one that could not be had is not tried again, by its digest. */
    private final Map<String, Long> pauses = new HashMap<>();

    private volatile Map<String, Held> held = Map.of();
    private volatile @Nullable Thread thread;
    private volatile @Nullable Consumer<String, byte[]> consumer;

    /** @param digest SHA-256 of its content, in hexadecimal */
    record Held(String digest, QueryAdapter adapter) {}

    QueryAdapterFollower(
            ConsumerFactory<String, byte[]> consumers,
            EventCodec codec,
            RecordSignatures signatures,
            RestClient trainer,
            String indexGeneration,
            MeterRegistry meters) {
        this.consumers = consumers;
        this.codec = codec;
        this.signatures = signatures;
        this.trainer = trainer;
        this.indexGeneration = indexGeneration;
        Gauge.builder("tsumugi.embed.query.adapters", this, follower -> follower.held.size())
                .description("Tenants whose questions are embedded with a query adapter")
                .register(meters);
    }

    /** For the questions of a tenant. */
    Optional<Held> of(String tenant) {
        return Optional.ofNullable(held.get(tenant));
    }

    @Override
    public void start() {
        thread = Thread.ofPlatform().name("query-adapters").daemon().start(this::run);
    }

    private void run() {
        while (thread != null) {
            try {
                follow();
            } catch (WakeupException e) {
                return;
            } catch (RuntimeException e) {
                log.warn("{} cannot be read; tried again: {}", Topics.ADAPTER_REGISTRY, e.toString());
                try {
                    Thread.sleep(AFTER_FAILURE);
                } catch (InterruptedException interrupted) {
                    Thread.currentThread().interrupt();
                    return;
                }
            }
        }
    }

    private void follow() {
        try (Consumer<String, byte[]> reader = consumers.createConsumer()) {
            consumer = reader;
            List<TopicPartition> partitions = reader.partitionsFor(Topics.ADAPTER_REGISTRY, CALL_LIMIT).stream()
                    .map(partition -> new TopicPartition(partition.topic(), partition.partition()))
                    .toList();
            reader.assign(partitions);
            reader.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = new HashMap<>(reader.endOffsets(partitions, CALL_LIMIT));
            while (thread != null) {
                reader.poll(POLL).forEach(this::take);
                ends.entrySet().removeIf(end -> reader.position(end.getKey(), CALL_LIMIT) >= end.getValue());
                if (ends.isEmpty()) {
                    bringUpToDate();
                }
            }
        } finally {
            consumer = null;
        }
    }

    private void take(ConsumerRecord<String, byte[]> record) {
        if (!signatures.isGenuine(record)) {
            return;
        }
        try {
            AdapterKey key = AdapterKey.parse(record.key());
            if (record.value() == null) {
                registered.remove(key);
                return;
            }
            AdapterRegistration registration =
                    codec.decode(record.value(), AdapterRegistration.class, AdapterRegistration.SCHEMA_VERSION);
            registered.merge(key, registration, (old, now) -> old.version() > now.version() ? old : now);
        } catch (IllegalArgumentException | InvalidEventException e) {
            log.warn("A record of {} is passed over: {}", Topics.ADAPTER_REGISTRY, e.getMessage());
        }
    }

    private void bringUpToDate() {
        Map<String, Held> next = new HashMap<>();
        registered.forEach((key, registration) -> {
            Object digest = registration.metrics().get(METRIC);
            if (!registration.promoted() || key.isShared() || digest == null) {
                return;
            }
            Held known = held.get(key.tenant());
            Held wanted = known != null && known.digest().equals(digest) ? known : fetch(key, digest.toString());
            if (wanted != null) {
                next.put(key.tenant(), wanted);
            }
        });
        held.keySet().stream()
                .filter(tenant -> !next.containsKey(tenant))
                .forEach(tenant -> log.info("Questions of {} are embedded without a query adapter again", tenant));
        held = Map.copyOf(next);
    }

    private @Nullable Held fetch(AdapterKey key, String digest) {
        Long pause = pauses.get(digest);
        if (pause != null && System.nanoTime() - pause < 0) {
            return null;
        }
        try {
            byte[] content = trainer.get()
                    .uri("/internal/query-adapters/{digest}", digest)
                    .retrieve()
                    .body(byte[].class);
            Held fetched = checked(digest, content == null ? new byte[0] : content);
            pauses.remove(digest);
            log.info("Questions of {} are embedded with the query adapter {} of {}", key.tenant(), digest, key.name());
            return fetched;
        } catch (IllegalArgumentException e) {
            pauses.put(digest, System.nanoTime() + AFTER_REFUSAL.toNanos());
            log.warn("The query adapter {} of {} is not used: {}", digest, key, e.getMessage());
        } catch (ProblemException | ResourceAccessException e) {
            pauses.put(digest, System.nanoTime() + AFTER_FAILURE.toNanos());
            log.warn("The query adapter {} of {} cannot be fetched now: {}", digest, key, e.getMessage());
        }
        return null;
    }

    private Held checked(String digest, byte[] content) {
        try {
            String actual = HexFormat.of()
                    .formatHex(MessageDigest.getInstance("SHA-256").digest(content));
            if (!actual.equals(digest)) {
                throw new IllegalArgumentException("its content has the digest " + actual);
            }
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
        QueryAdapter adapter = QueryAdapter.parse(content);
        if (!adapter.indexGeneration().equals(indexGeneration)) {
            throw new IllegalArgumentException("it was trained for vectors of " + adapter.indexGeneration()
                    + ", and this service makes those of " + indexGeneration + "; train it again");
        }
        return new Held(digest, adapter);
    }

    @Override
    public void stop() {
        thread = null;
        Consumer<String, byte[]> reader = consumer;
        if (reader != null) {
            reader.wakeup();
        }
    }

    @Override
    public boolean isRunning() {
        return thread != null;
    }
}
