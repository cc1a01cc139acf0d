package dev.tsumugi.generator.adapter;

import dev.tsumugi.contracts.AdapterKey;
import dev.tsumugi.contracts.Topics;
import dev.tsumugi.contracts.event.AdapterRegistration;
import dev.tsumugi.contracts.event.AdapterReport;
import dev.tsumugi.engine.adapter.PeftAdapter;
import dev.tsumugi.generator.model.ModelHost;
import dev.tsumugi.generator.model.ServedModel;
import dev.tsumugi.platform.adapters.AdapterStore;
import dev.tsumugi.platform.kafka.EventCodec;
import dev.tsumugi.platform.kafka.EventPublisher;
import dev.tsumugi.platform.kafka.InvalidEventException;
import dev.tsumugi.platform.kafka.RecordSignatures;
import dev.tsumugi.platform.web.InternalClients;
import dev.tsumugi.platform.web.ProblemException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.context.SmartLifecycle;
import org.springframework.http.HttpStatus;
import org.springframework.kafka.core.ConsumerFactory;
import org.springframework.stereotype.Component;

/**
 * Reads {@code adapter-registry} from its beginning, every replica all of it, and keeps the names of this one on it. Ready when all that was
 * there at the start has been brought here: a replica that starts or lags answers nobody with what is no longer promoted.
 */
@Component("adapters")
class RegistryFollower implements SmartLifecycle, HealthIndicator {
    private static final Logger log = LoggerFactory.getLogger(RegistryFollower.class);
    private static final Duration MODEL_LIMIT = Duration.ofDays(1);
    private static final Duration POLL = Duration.ofMillis(250);
    private static final Duration BETWEEN_REPORTS = Duration.ofSeconds(30);
    private static final Duration AFTER_FAILURE = Duration.ofSeconds(2);
    private static final Duration CALL_LIMIT = Duration.ofSeconds(30);
    /** A store that stays away must not keep answers back that need no adapter. */
    private static final Duration PATIENCE = Duration.ofMinutes(1);

    private final ModelHost host;
    private final ConsumerFactory<String, byte[]> consumers;
    private final EventCodec codec;
    private final EventPublisher events;
    private final RecordSignatures signatures;
    private final AdapterSource source;
    private final String replica = newReplicaName();
    private final Clock clock = Clock.systemUTC();
    private volatile @Nullable Thread thread;
    private volatile @Nullable Consumer<String, byte[]> consumer;
    private volatile @Nullable AdapterStaging staging;
    private volatile List<AdapterReport.Served> report = List.of();
    private volatile boolean current;

    RegistryFollower(
            ModelHost host,
            ConsumerFactory<String, byte[]> consumers,
            EventCodec codec,
            EventPublisher events,
            RecordSignatures signatures,
            InternalClients clients,
            AdapterStoreProperties properties)
            throws IOException {
        this.host = host;
        this.consumers = consumers;
        this.codec = codec;
        this.events = events;
        this.signatures = signatures;
        AdapterStore store = properties.adapterStore().isBlank()
                ? null
                : new AdapterStore(Path.of(properties.adapterStore()), PeftAdapter::digestOf, clock);
        this.source = new AdapterSource(store, clients.client(properties.trainerUrl(), CALL_LIMIT));
    }

    private static String newReplicaName() {
        String suffix = String.format("%08x", ThreadLocalRandom.current().nextInt());
        try {
            return InetAddress.getLocalHost().getHostName() + "-" + suffix;
        } catch (UnknownHostException e) {
            return "generator-" + suffix;
        }
    }

    @Override
    public void start() {
        thread = Thread.ofPlatform().name("adapter-registry").daemon().start(this::run);
    }

    private void run() {
        try {
            host.awaitReady(MODEL_LIMIT);
            ServedModel served = host.require();
            AdapterStaging prepared = new AdapterStaging(served, source);
            staging = prepared;
            AdapterSwaps swaps = new AdapterSwaps(served.adapters(), prepared, System::nanoTime);
            while (thread != null) {
                try {
                    follow(served, swaps);
                } catch (WakeupException e) {
                    return;
                } catch (RuntimeException e) {
                    log.warn("{} cannot be read; tried again: {}", Topics.ADAPTER_REGISTRY, e.toString());
                    Thread.sleep(AFTER_FAILURE);
                } catch (Error e) {
                    log.error("Adapters cannot be followed; tried again", e);
                    Thread.sleep(AFTER_FAILURE);
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (IllegalStateException | ProblemException e) {
            // The model says itself why it is not there.
            log.debug("no adapters without a model", e);
        }
    }

    private void follow(ServedModel served, AdapterSwaps swaps) {
        try (Consumer<String, byte[]> reader = consumers.createConsumer()) {
            consumer = reader;
            if (thread == null) {
                return;
            }
            List<TopicPartition> partitions = reader.partitionsFor(Topics.ADAPTER_REGISTRY, CALL_LIMIT).stream()
                    .map(partition -> new TopicPartition(partition.topic(), partition.partition()))
                    .toList();
            reader.assign(partitions);
            reader.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = new HashMap<>(reader.endOffsets(partitions, CALL_LIMIT));
            long begin = System.nanoTime();
            long reported = begin - BETWEEN_REPORTS.toNanos();
            while (thread != null) {
                reader.poll(current ? POLL : Duration.ofMillis(10)).forEach(record -> take(record, swaps));
                ends.entrySet().removeIf(end -> reader.position(end.getKey(), CALL_LIMIT) >= end.getValue());
                // Not before the whole is known: what was promoted long ago may have been replaced since.
                boolean changed = ends.isEmpty() && swaps.run();
                if (!current && ends.isEmpty() && (swaps.isSettled() || isPast(begin, PATIENCE))) {
                    current = true;
                    log.info("Adapters are as registered, after {} ms", millisSince(begin));
                }
                if (changed || isPast(reported, BETWEEN_REPORTS)) {
                    report = swaps.report();
                    send(served);
                    reported = System.nanoTime();
                }
            }
        } finally {
            consumer = null;
        }
    }

    private static boolean isPast(long begin, Duration limit) {
        return System.nanoTime() - begin >= limit.toNanos();
    }

    private static long millisSince(long begin) {
        return Duration.ofNanos(System.nanoTime() - begin).toMillis();
    }

    private void take(ConsumerRecord<String, byte[]> record, AdapterSwaps swaps) {
        String place = record.topic() + "-" + record.partition() + "@" + record.offset();
        if (!signatures.isGenuine(record)) {
            log.warn(
                    "The record {} is not signed by this deployment's trainer and is passed over. If the token was"
                            + " changed, the trainer signs everything anew when it starts.",
                    place);
            return;
        }
        try {
            AdapterKey key = AdapterKey.parse(record.key());
            AdapterRegistration registration = record.value() == null
                    ? null
                    : codec.decode(record.value(), AdapterRegistration.class, AdapterRegistration.SCHEMA_VERSION);
            swaps.register(key, registration);
        } catch (IllegalArgumentException | InvalidEventException e) {
            log.warn("The record {} is passed over: {}", place, e.getMessage());
        }
    }

    private void send(ServedModel served) {
        try {
            events.sendSigned(Topics.ADAPTER_STATUS, replica, report(served));
        } catch (RuntimeException e) {
            log.warn("The state of the adapters could not be reported: {}", e.toString());
        }
    }

    private AdapterReport report(ServedModel served) {
        return new AdapterReport(AdapterReport.SCHEMA_VERSION, replica, served.digest(), report, clock.instant());
    }

    /** What this replica serves now. */
    AdapterReport report() {
        return report(host.require());
    }

    /** @throws ProblemException 503 while there is no model */
    AdapterStaging staging() {
        AdapterStaging prepared = staging;
        if (prepared == null) {
            throw new ProblemException(
                    HttpStatus.SERVICE_UNAVAILABLE,
                    "model-not-ready",
                    "The language model is still being loaded. Try again in a few seconds.");
        }
        return prepared;
    }

    @Override
    public void stop() {
        Thread running = thread;
        thread = null;
        Consumer<String, byte[]> reader = consumer;
        if (reader != null) {
            reader.wakeup();
        }
        if (running != null) {
            try {
                if (!running.join(Duration.ofSeconds(2))) {
                    running.interrupt();
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }

    @Override
    public boolean isRunning() {
        return thread != null;
    }

    /** After the model, before what sends it work. */
    @Override
    public int getPhase() {
        return 1;
    }

    @Override
    public Health health() {
        Thread running = thread;
        return (!current
                        ? Health.outOfService().withDetail("reason", "the registered adapters are being loaded")
                        : running != null && !running.isAlive()
                                ? Health.down()
                                        .withDetail(
                                                "reason", "what follows the registry of adapters has ended; restart")
                                : Health.up())
                .withDetail("replica", replica)
                .withDetail("names", report.size())
                .build();
    }
}
