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
import dev.tsumugi.platform.kafka.TableFollower;
import dev.tsumugi.platform.web.InternalClients;
import dev.tsumugi.platform.web.ProblemException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.kafka.clients.consumer.ConsumerRecord;
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
    private static final Duration WHILE_STARTING = Duration.ofMillis(10);
    private static final Duration BETWEEN_REPORTS = Duration.ofSeconds(30);
    private static final Duration CALL_LIMIT = Duration.ofSeconds(30);
    /** A store that stays away must not keep answers back that need no adapter. */
    private static final Duration PATIENCE = Duration.ofMinutes(1);

    private final ModelHost host;
    private final TableFollower follower;
    private final EventCodec codec;
    private final EventPublisher events;
    private final RecordSignatures signatures;
    private final AdapterSource source;
    private final String replica = newReplicaName();
    private final Clock clock = Clock.systemUTC();
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
        follower = new TableFollower("adapter-registry", Topics.ADAPTER_REGISTRY, consumers, this::open);
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
        follower.start();
    }

    private TableFollower.@Nullable Table open() throws InterruptedException {
        try {
            host.awaitReady(MODEL_LIMIT);
            ServedModel served = host.require();
            AdapterStaging prepared = new AdapterStaging(served, source);
            staging = prepared;
            return new Names(served, new AdapterSwaps(served.adapters(), prepared, System::nanoTime));
        } catch (IllegalStateException | ProblemException e) {
            // The model says itself why it is not there.
            log.debug("no adapters without a model", e);
            return null;
        }
    }

    /** The names of this replica, kept as registered. */
    private final class Names implements TableFollower.Table {
        private final ServedModel served;
        private final AdapterSwaps swaps;
        private final long begin = System.nanoTime();
        private long reported = begin - BETWEEN_REPORTS.toNanos();

        Names(ServedModel served, AdapterSwaps swaps) {
            this.served = served;
            this.swaps = swaps;
        }

        @Override
        public void take(ConsumerRecord<String, byte[]> record) {
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

        @Override
        public Duration looked(boolean complete) {
            // Not before the whole is known: what was promoted long ago may have been replaced since.
            boolean changed = complete && swaps.run();
            if (!current && complete && (swaps.isSettled() || isPast(begin, PATIENCE))) {
                current = true;
                log.info("Adapters are as registered, after {} ms", millisSince(begin));
            }
            if (changed || isPast(reported, BETWEEN_REPORTS)) {
                report = swaps.report();
                send(served);
                reported = System.nanoTime();
            }
            return current ? POLL : WHILE_STARTING;
        }
    }

    private static boolean isPast(long begin, Duration limit) {
        return System.nanoTime() - begin >= limit.toNanos();
    }

    private static long millisSince(long begin) {
        return Duration.ofNanos(System.nanoTime() - begin).toMillis();
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
        follower.stop();
    }

    @Override
    public boolean isRunning() {
        return follower.isRunning();
    }

    /** After the model, before what sends it work. */
    @Override
    public int getPhase() {
        return 1;
    }

    @Override
    public Health health() {
        return (!current
                        ? Health.outOfService().withDetail("reason", "the registered adapters are being loaded")
                        : !follower.isRunning()
                                ? Health.down()
                                        .withDetail(
                                                "reason", "what follows the registry of adapters has ended; restart")
                                : Health.up())
                .withDetail("replica", replica)
                .withDetail("names", report.size())
                .build();
    }
}
