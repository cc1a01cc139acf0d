package dev.tsumugi.trainer.adapters;

import dev.tsumugi.contracts.AdapterKey;
import dev.tsumugi.contracts.Topics;
import dev.tsumugi.contracts.event.AdapterReport;
import dev.tsumugi.platform.kafka.EventCodec;
import dev.tsumugi.platform.kafka.InvalidEventException;
import dev.tsumugi.platform.kafka.RecordSignatures;
import dev.tsumugi.platform.kafka.RecordWorkers;
import dev.tsumugi.platform.kafka.RecordWorkersFactory;
import java.sql.Timestamp;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.stereotype.Repository;
import tools.jackson.databind.json.JsonMapper;

/** What the replicas of the generator say they serve; a canary that one of them cannot serve is rolled back for all. */
@Repository
class AdapterReplicas {
    private static final Logger log = LoggerFactory.getLogger(AdapterReplicas.class);
    private static final String GROUP = "trainer";
    /** A replica reports twice a minute. */
    private static final Duration ALIVE = Duration.ofSeconds(90);

    private static final Duration REMEMBERED = Duration.ofDays(1);

    private final JdbcClient jdbc;
    private final JsonMapper json;
    private final AdapterRegistry registry;
    private final AdapterOutbox outbox;
    private final Clock clock = Clock.systemUTC();

    AdapterReplicas(JdbcClient jdbc, JsonMapper json, AdapterRegistry registry, AdapterOutbox outbox) {
        this.jdbc = jdbc;
        this.json = json;
        this.registry = registry;
        this.outbox = outbox;
    }

    @Configuration(proxyBeanMethods = false)
    static class Listening {
        @Bean
        RecordWorkers adapterStatusWorkers(
                RecordWorkersFactory factory, EventCodec codec, RecordSignatures signatures, AdapterReplicas replicas) {
            return factory.create(Topics.ADAPTER_STATUS, GROUP, 1, record -> {
                if (!signatures.isGenuine(record)) {
                    throw new InvalidEventException("the record is not signed by a generator of this deployment");
                }
                replicas.take(read(codec, record));
            });
        }

        private static AdapterReport read(EventCodec codec, ConsumerRecord<String, byte[]> record) {
            return codec.decode(record.value(), AdapterReport.class, AdapterReport.SCHEMA_VERSION);
        }
    }

    /** Keeps the report, and takes canaries back that the replica does not serve. */
    void take(AdapterReport report) {
        jdbc.sql("""
                        INSERT INTO adapter_replicas AS old (replica, report, reported_at) VALUES (?, ?::jsonb, ?)
                        ON CONFLICT (replica) DO UPDATE SET report = excluded.report, reported_at = excluded.reported_at
                        WHERE old.reported_at < excluded.reported_at""")
                .params(report.replica(), json.writeValueAsString(report), Timestamp.from(report.at()))
                .update();
        jdbc.sql("DELETE FROM adapter_replicas WHERE reported_at < ?")
                .param(Timestamp.from(clock.instant().minus(REMEMBERED)))
                .update();
        for (AdapterReport.Served served : report.adapters()) {
            if (served.refused() != null) {
                rollBackCanary(report.replica(), served);
            }
        }
    }

    /** Only the trial that the report is about: the same adapter may be on trial again. */
    private void rollBackCanary(String replica, AdapterReport.Served served) {
        AdapterKey key = new AdapterKey(served.tenant(), served.name());
        registry.change(key, adapter -> {
            NamedAdapter.Canary canary = adapter.canary();
            if (canary == null || !canary.digest().equals(served.refused()) || adapter.version() != served.version()) {
                return null;
            }
            String why = "canary taken back, because " + replica + " does not serve it: " + served.error();
            log.warn("The canary {} of {} is rolled back: {}", canary.digest(), key, served.error());
            return adapter.rolledBack(why, clock.instant());
        });
        outbox.wake();
    }

    /** Reports of the replicas that are alive. */
    List<AdapterReport> alive() {
        return jdbc.sql("SELECT report::text FROM adapter_replicas WHERE reported_at > ? ORDER BY replica")
                .param(Timestamp.from(clock.instant().minus(ALIVE)))
                .query((row, number) -> json.readValue(row.getString(1), AdapterReport.class))
                .list();
    }
}
