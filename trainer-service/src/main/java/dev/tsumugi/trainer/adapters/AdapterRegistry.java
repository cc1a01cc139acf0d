package dev.tsumugi.trainer.adapters;

import dev.tsumugi.contracts.AdapterKey;
import java.sql.Array;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Timestamp;
import java.time.Clock;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.springframework.dao.DuplicateKeyException;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.stereotype.Repository;
import org.springframework.transaction.support.TransactionTemplate;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.json.JsonMapper;

/** Names of adapters in PostgreSQL. Each change is one transaction that leaves its row to be copied to the topic. */
@Repository
class AdapterRegistry {
    private static final TypeReference<Map<String, Object>> OBJECT = new TypeReference<>() {};
    private static final String SELECT = "SELECT tenant, name, version, digest, previous, canary_digest,"
            + " canary_percent, promoted, deleted, note, changed_at FROM adapters ";
    /** Versions that nothing points to, kept so that people can promote them again. */
    private static final int UNUSED_VERSIONS = 10;

    private static final int MOST_ATTEMPTS = 5;

    private final JdbcClient jdbc;
    private final TransactionTemplate transactions;
    private final JsonMapper json;
    private final Clock clock = Clock.systemUTC();

    AdapterRegistry(JdbcClient jdbc, TransactionTemplate transactions, JsonMapper json) {
        this.jdbc = jdbc;
        this.transactions = transactions;
        this.json = json;
    }

    /**
     * Lets the name stand for {@code version}, or answer a part of its requests with it.
     *
     * @param canaryPercent 0: all requests at once; a name that is new has no others
     */
    NamedAdapter publish(AdapterKey key, AdapterVersion version, int canaryPercent) {
        return inTransaction(() -> {
            NamedAdapter before = lock(key);
            if (before == null) {
                NamedAdapter first = NamedAdapter.first(key, version.digest(), clock.instant());
                insert(first);
                insert(key, version);
                return first;
            }
            String base = versions(key).stream()
                    .filter(known -> known.digest().equals(before.digest()))
                    .map(AdapterVersion::baseDigest)
                    .findFirst()
                    .orElse("");
            insert(key, version);
            boolean same = !before.deleted() && before.digest().equals(version.digest());
            // The same adapter for another file of the model is news: generators refused it before.
            if (same && before.canary() == null && base.equals(version.baseDigest())) {
                return before;
            }
            return update(
                    canaryPercent == 0 || before.deleted() || same
                            ? before.pointedTo(version.digest(), "published", clock.instant())
                            : before.withCanary(version.digest(), canaryPercent, clock.instant()));
        });
    }

    /**
     * Makes an adapter of its tenant the one that answers where none is named, in place of the one that was.
     *
     * @return empty when there is no such adapter
     */
    Optional<NamedAdapter> promote(AdapterKey key, UnaryOperator<NamedAdapter> change) {
        return inTransaction(() -> {
            // In the order of their names, so that two promotions wait for each other and do not lock each other out.
            List<NamedAdapter> ofTenant = jdbc.sql(
                            SELECT + "WHERE tenant = ? AND (promoted OR name = ?) ORDER BY name FOR UPDATE")
                    .params(key.tenant(), key.name())
                    .query(AdapterRegistry::row)
                    .list();
            Optional<NamedAdapter> chosen = ofTenant.stream()
                    .filter(adapter -> adapter.key().equals(key) && !adapter.deleted())
                    .findFirst();
            if (chosen.isPresent()) {
                ofTenant.stream()
                        .filter(adapter -> adapter.promoted() && !adapter.key().equals(key))
                        .forEach(adapter -> update(adapter.withPromoted(
                                false, key.name() + " was promoted in its place", clock.instant())));
            }
            return chosen.map(adapter -> update(change.apply(adapter).withPromoted(true, "promoted", clock.instant())));
        });
    }

    /**
     * Changes a name, unless there is none or it is deleted.
     *
     * @param change null: nothing is to be changed
     * @return as it is then
     */
    Optional<NamedAdapter> change(AdapterKey key, Function<NamedAdapter, @Nullable NamedAdapter> change) {
        return inTransaction(() -> {
            NamedAdapter before = lock(key);
            if (before == null || before.deleted()) {
                return Optional.empty();
            }
            NamedAdapter after = change.apply(before);
            return Optional.of(after == null || after == before ? before : update(after));
        });
    }

    Optional<NamedAdapter> find(AdapterKey key) {
        return jdbc.sql(SELECT + "WHERE tenant = ? AND name = ?")
                .params(key.tenant(), key.name())
                .query(AdapterRegistry::row)
                .optional();
    }

    /** Those of the tenant and those of all, without the deleted ones. */
    List<NamedAdapter> visibleTo(String tenant) {
        return jdbc.sql(SELECT + "WHERE tenant IN (?, '') AND NOT deleted ORDER BY name, tenant DESC")
                .param(tenant)
                .query(AdapterRegistry::row)
                .list();
    }

    /** The newest first. */
    List<AdapterVersion> versions(AdapterKey key) {
        return jdbc.sql("""
                        SELECT digest, base_digest, bytes, job_id, metrics::text, created_at
                        FROM adapter_versions WHERE tenant = ? AND name = ? ORDER BY created_at DESC, digest""")
                .params(key.tenant(), key.name())
                .query((row, number) -> new AdapterVersion(
                        row.getString("digest"),
                        row.getString("base_digest"),
                        row.getLong("bytes"),
                        row.getString("job_id"),
                        json.readValue(row.getString("metrics"), OBJECT),
                        row.getObject("created_at", OffsetDateTime.class).toInstant()))
                .list();
    }

    /** Whether any name stands for this adapter, has stood for it, or can be rolled back to it. */
    boolean refersTo(String digest) {
        return jdbc.sql("SELECT EXISTS (SELECT 1 FROM adapter_versions WHERE digest = ?)")
                .param(digest)
                .query(Boolean.class)
                .single();
    }

    /** Names whose last change the topic does not have yet: the promoted first, so that there is never none. */
    List<AdapterKey> unpublished() {
        return jdbc.sql("SELECT tenant, name FROM adapters WHERE NOT published ORDER BY promoted DESC, changed_at")
                .query((row, number) -> new AdapterKey(row.getString("tenant"), row.getString("name")))
                .list();
    }

    /** Has all names copied again: the topic may be new, or the token that signs. */
    void markAllUnpublished() {
        jdbc.sql("UPDATE adapters SET published = false").update();
    }

    /** Sends a name as it is now; whoever changes or sends it meanwhile waits, so that the topic keeps the order of versions. */
    interface Sender {
        /** @param adapter what to send; of a deleted one, the deletion */
        void send(NamedAdapter adapter, Map<String, AdapterVersion> versions);
    }

    /** Copies one name to the topic, unless somebody else is doing it. A crash before the end repeats it. */
    void copy(AdapterKey key, Sender sender) {
        transactions.executeWithoutResult(status -> jdbc.sql(
                        SELECT + "WHERE tenant = ? AND name = ? AND NOT published FOR UPDATE SKIP LOCKED")
                .params(key.tenant(), key.name())
                .query(AdapterRegistry::row)
                .optional()
                .ifPresent(adapter -> {
                    sender.send(
                            adapter,
                            versions(key).stream()
                                    .collect(Collectors.toMap(AdapterVersion::digest, version -> version)));
                    jdbc.sql("UPDATE adapters SET published = true WHERE tenant = ? AND name = ?")
                            .params(key.tenant(), key.name())
                            .update();
                }));
    }

    /** A row that did not exist cannot be locked: when somebody else has made it meanwhile, the second attempt sees it. */
    private <T> T inTransaction(Supplier<T> work) {
        for (int attempt = 1; ; attempt++) {
            try {
                return Objects.requireNonNull(transactions.execute(status -> work.get()));
            } catch (DuplicateKeyException e) {
                if (attempt == MOST_ATTEMPTS) {
                    throw e;
                }
            }
        }
    }

    private @Nullable NamedAdapter lock(AdapterKey key) {
        return jdbc.sql(SELECT + "WHERE tenant = ? AND name = ? FOR UPDATE")
                .params(key.tenant(), key.name())
                .query(AdapterRegistry::row)
                .optional()
                .orElse(null);
    }

    private void insert(NamedAdapter adapter) {
        jdbc.sql("""
                        INSERT INTO adapters (tenant, name, version, digest, note, changed_at)
                        VALUES (?, ?, ?, ?, ?, ?)""")
                .params(
                        adapter.key().tenant(),
                        adapter.key().name(),
                        adapter.version(),
                        adapter.digest(),
                        adapter.note(),
                        timestamp(adapter.changedAt()))
                .update();
    }

    private void insert(AdapterKey key, AdapterVersion version) {
        jdbc.sql("""
                        INSERT INTO adapter_versions
                            (tenant, name, digest, base_digest, bytes, job_id, metrics, created_at)
                        VALUES (?, ?, ?, ?, ?, ?, ?::jsonb, ?)
                        ON CONFLICT (tenant, name, digest) DO UPDATE
                        SET base_digest = excluded.base_digest, job_id = excluded.job_id, metrics = excluded.metrics,
                            created_at = excluded.created_at""")
                .params(Arrays.asList(
                        key.tenant(),
                        key.name(),
                        version.digest(),
                        version.baseDigest(),
                        version.bytes(),
                        version.jobId(),
                        json.writeValueAsString(version.metrics()),
                        timestamp(version.createdAt())))
                .update();
    }

    private NamedAdapter update(NamedAdapter adapter) {
        NamedAdapter.Canary canary = adapter.canary();
        jdbc.sql("""
                        UPDATE adapters
                        SET version = ?, digest = ?, previous = ?::text[], canary_digest = ?, canary_percent = ?,
                            promoted = ?, deleted = ?, note = ?, changed_at = ?, published = false
                        WHERE tenant = ? AND name = ?""")
                .params(Arrays.asList(
                        adapter.version(),
                        adapter.digest(),
                        // Digests need no quoting.
                        "{" + String.join(",", adapter.previous()) + "}",
                        canary == null ? null : canary.digest(),
                        canary == null ? null : canary.percent(),
                        adapter.promoted(),
                        adapter.deleted(),
                        adapter.note(),
                        timestamp(adapter.changedAt()),
                        adapter.key().tenant(),
                        adapter.key().name()))
                .update();
        forgetUnused(adapter);
        return adapter;
    }

    private void forgetUnused(NamedAdapter adapter) {
        List<String> unused = versions(adapter.key()).stream()
                .map(AdapterVersion::digest)
                .filter(digest -> !adapter.needs(digest))
                .skip(adapter.deleted() ? 0 : UNUSED_VERSIONS)
                .toList();
        for (String digest : unused) {
            jdbc.sql("DELETE FROM adapter_versions WHERE tenant = ? AND name = ? AND digest = ?")
                    .params(adapter.key().tenant(), adapter.key().name(), digest)
                    .update();
        }
    }

    private static Timestamp timestamp(Instant instant) {
        return Timestamp.from(instant);
    }

    private static NamedAdapter row(ResultSet row, int number) throws SQLException {
        String canary = row.getString("canary_digest");
        return new NamedAdapter(
                new AdapterKey(row.getString("tenant"), row.getString("name")),
                row.getLong("version"),
                row.getString("digest"),
                strings(row.getArray("previous")),
                canary == null ? null : new NamedAdapter.Canary(canary, row.getInt("canary_percent")),
                row.getBoolean("promoted"),
                row.getBoolean("deleted"),
                row.getString("note"),
                row.getObject("changed_at", OffsetDateTime.class).toInstant());
    }

    private static List<String> strings(Array array) throws SQLException {
        return List.of((String[]) array.getArray());
    }
}
