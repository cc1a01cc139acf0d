package dev.tsumugi.embed;

import dev.tsumugi.contracts.AdapterKey;
import dev.tsumugi.contracts.Topics;
import dev.tsumugi.contracts.event.AdapterRegistration;
import dev.tsumugi.platform.adapters.QueryAdapter;
import dev.tsumugi.platform.kafka.EventCodec;
import dev.tsumugi.platform.kafka.InvalidEventException;
import dev.tsumugi.platform.kafka.RecordSignatures;
import dev.tsumugi.platform.kafka.TableFollower;
import dev.tsumugi.platform.web.ProblemException;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerRecord;
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
final class QueryAdapterFollower implements SmartLifecycle, TableFollower.Table {
    private static final Logger log = LoggerFactory.getLogger(QueryAdapterFollower.class);
    /** Of an adapter's metrics: SHA-256 of its query adapter. */
    private static final String METRIC = "queryAdapter";

    private static final Duration POLL = Duration.ofMillis(250);
    private static final Duration AFTER_FAILURE = Duration.ofSeconds(2);
    private static final Duration AFTER_REFUSAL = Duration.ofMinutes(5);

    private final TableFollower follower;
    private final EventCodec codec;
    private final RecordSignatures signatures;
    private final RestClient trainer;
    private final String indexGeneration;
    private final Map<AdapterKey, AdapterRegistration> registered = new HashMap<>();
    /** Until when one that could not be had is not tried again, by its digest. */
    private final Map<String, Long> pauses = new HashMap<>();

    private volatile Map<String, Held> held = Map.of();

    /** @param digest SHA-256 of its content, in hexadecimal */
    record Held(String digest, QueryAdapter adapter) {}

    QueryAdapterFollower(
            ConsumerFactory<String, byte[]> consumers,
            EventCodec codec,
            RecordSignatures signatures,
            RestClient trainer,
            String indexGeneration,
            MeterRegistry meters) {
        follower = new TableFollower("query-adapters", Topics.ADAPTER_REGISTRY, consumers, () -> this);
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
        follower.start();
    }

    @Override
    public Duration looked(boolean complete) {
        if (complete) {
            bringUpToDate();
        }
        return POLL;
    }

    @Override
    public void take(ConsumerRecord<String, byte[]> record) {
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
        follower.stop();
    }

    @Override
    public boolean isRunning() {
        return follower.isRunning();
    }
}
