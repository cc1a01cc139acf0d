package dev.tsumugi.trainer.sets;

import dev.tsumugi.trainer.examples.Example;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.stereotype.Repository;
import tools.jackson.databind.json.JsonMapper;

/** Sets in PostgreSQL. */
@Repository
class SetStore {
    private static final int BATCH = 500;
    private static final String SELECT_SET =
            "SELECT id, digest, settings, counts, withdrawn, created_at FROM training_sets WHERE tenant = :tenant";

    private final JdbcTemplate template;
    private final JdbcClient jdbc;
    private final JsonMapper json;

    SetStore(JdbcTemplate template, JdbcClient jdbc, JsonMapper json) {
        this.template = template;
        this.jdbc = jdbc;
        this.json = json;
    }

    /** One set of a tenant is made at a time: the others wait until the transaction ends. */
    void lockTenant(String tenant) {
        jdbc.sql("SELECT pg_advisory_xact_lock(hashtextextended('training set of ' || ?, 0))")
                .param(tenant)
                .query((row, number) -> 1)
                .list();
    }

    Optional<TrainingSet> findWhole(String tenant, String digest) {
        return jdbc.sql(SELECT_SET + " AND digest = :digest AND withdrawn = 0")
                .param("tenant", tenant)
                .param("digest", digest)
                .query(this::set)
                .optional();
    }

    Optional<TrainingSet> find(String tenant, UUID id) {
        return jdbc.sql(SELECT_SET + " AND id = :id")
                .param("tenant", tenant)
                .param("id", id)
                .query(this::set)
                .optional();
    }

    List<TrainingSet> newest(String tenant, int limit) {
        return jdbc.sql(SELECT_SET + " ORDER BY created_at DESC, id LIMIT :limit")
                .param("tenant", tenant)
                .param("limit", limit)
                .query(this::set)
                .list();
    }

    UUID insert(String tenant, String digest, SetSettings settings, SetMaker.Result made) {
        UUID id = jdbc.sql("""
                        INSERT INTO training_sets (tenant, digest, settings, counts)
                        VALUES (?, ?, ?::jsonb, ?::jsonb) RETURNING id""")
                .params(tenant, digest, json.writeValueAsString(settings), json.writeValueAsString(made.counts()))
                .query(UUID.class)
                .single();
        insertContents(tenant, made.members());
        template.batchUpdate(
                "INSERT INTO training_set_members (tenant, set_id, example_id, split, source, digest) VALUES (?, ?, ?, ?, ?, ?)",
                made.members(),
                BATCH,
                (statement, member) -> {
                    statement.setString(1, tenant);
                    statement.setObject(2, id);
                    statement.setString(3, member.example().id());
                    statement.setString(4, member.split().text());
                    statement.setString(5, member.source());
                    statement.setString(6, member.example().digest());
                });
        return id;
    }

    private void insertContents(String tenant, List<SetMember> members) {
        template.batchUpdate("""
                INSERT INTO example_contents (tenant, digest, content, documents) VALUES (?, ?, ?::jsonb, ?)
                ON CONFLICT DO NOTHING""", members, BATCH, (statement, member) -> {
            statement.setString(1, tenant);
            statement.setString(2, member.example().digest());
            statement.setString(3, json.writeValueAsString(Content.of(member.example())));
            statement.setArray(
                    4,
                    statement
                            .getConnection()
                            .createArrayOf(
                                    "text", member.example().allDocuments().toArray()));
        });
    }

    /** What is held out for the first time stays as it is from now on. */
    void freeze(String tenant, List<SetMember> heldOut) {
        template.batchUpdate("""
                INSERT INTO held_out (tenant, example_id, source, digest) VALUES (?, ?, ?, ?)
                ON CONFLICT (tenant, example_id) DO NOTHING""", heldOut, BATCH, (statement, member) -> {
            statement.setString(1, tenant);
            statement.setString(2, member.example().id());
            statement.setString(3, member.source());
            statement.setString(4, member.example().digest());
        });
    }

    List<SetMember> frozen(String tenant) {
        return jdbc.sql("""
                        SELECT 'held-out' AS split, h.source, h.example_id, c.content
                        FROM held_out h JOIN example_contents c USING (tenant, digest)
                        WHERE h.tenant = ? ORDER BY h.example_id""").param(tenant).query(this::member).list();
    }

    /** Ordered by id, those behind {@code after}. */
    List<SetMember> members(String tenant, UUID set, @Nullable Split split, String after, int limit) {
        return jdbc.sql("""
                        SELECT m.split, m.source, m.example_id, c.content
                        FROM training_set_members m JOIN example_contents c USING (tenant, digest)
                        WHERE m.tenant = :tenant AND m.set_id = :set AND m.example_id > :after
                          AND (m.split = :split OR CAST(:split AS text) IS NULL)
                        ORDER BY m.example_id LIMIT :limit""")
                .param("tenant", tenant)
                .param("set", set)
                .param("after", after)
                .param("split", split == null ? null : split.text())
                .param("limit", limit)
                .query(this::member)
                .list();
    }

    boolean delete(String tenant, UUID id) {
        boolean deleted = jdbc.sql("DELETE FROM training_sets WHERE tenant = ? AND id = ?")
                        .params(tenant, id)
                        .update()
                > 0;
        if (deleted) {
            jdbc.sql("""
                            DELETE FROM example_contents c WHERE tenant = ?
                              AND NOT EXISTS (SELECT 1 FROM training_set_members m WHERE m.tenant = c.tenant AND m.digest = c.digest)
                              AND NOT EXISTS (SELECT 1 FROM held_out h WHERE h.tenant = c.tenant AND h.digest = c.digest)""").param(tenant).update();
        }
        return deleted;
    }

    boolean isInUse(String tenant, UUID set) {
        return jdbc.sql("""
                        SELECT EXISTS (SELECT 1 FROM jobs WHERE tenant = ? AND set_id = ? AND finished_at IS NULL)""").params(tenant, set).query(Boolean.class).single();
    }

    /** Takes what a document went into out of all sets and out of what is held out, and feedback on answers that quote it. */
    void withdraw(String tenant, String document) {
        jdbc.sql("""
                        DELETE FROM feedback WHERE tenant = ?
                          AND citations @> jsonb_build_array(jsonb_build_object('documentId', CAST(? AS text)))""").params(tenant, document).update();
        jdbc.sql("""
                        UPDATE training_sets s SET withdrawn = withdrawn + gone.members
                        FROM (SELECT m.set_id, count(*) AS members
                              FROM training_set_members m JOIN example_contents c USING (tenant, digest)
                              WHERE m.tenant = :tenant AND c.documents @> ARRAY[:document]::text[] GROUP BY m.set_id) gone
                        WHERE s.tenant = :tenant AND s.id = gone.set_id""").param("tenant", tenant).param("document", document).update();
        jdbc.sql("DELETE FROM example_contents WHERE tenant = ? AND documents @> ARRAY[?]::text[]")
                .params(tenant, document)
                .update();
    }

    /** Of every document: a job may hold it at this moment and write down only later that it learns from it. */
    void recordWithdrawal(String tenant, String document, int examples) {
        jdbc.sql("""
                        INSERT INTO withdrawn_documents AS old (tenant, document_id, examples, withdrawn_at)
                        VALUES (:tenant, :document, :examples, clock_timestamp())
                        ON CONFLICT (tenant, document_id) DO UPDATE
                        SET examples = old.examples + excluded.examples, withdrawn_at = excluded.withdrawn_at""")
                .param("tenant", tenant)
                .param("document", document)
                .param("examples", examples)
                .update();
    }

    /** Of what nothing was learned from, and that no job can be about to learn from. */
    void forgetWithdrawals(String tenant) {
        jdbc.sql("""
                        DELETE FROM withdrawn_documents w WHERE tenant = ? AND examples = 0
                          AND NOT EXISTS (SELECT 1 FROM job_documents d
                                          WHERE d.tenant = w.tenant AND d.document_id = w.document_id)
                          AND NOT EXISTS (SELECT 1 FROM jobs j
                                          WHERE j.tenant = w.tenant AND j.started_at IS NOT NULL AND j.finished_at IS NULL)""").param(tenant).update();
    }

    /** The database's time, later than that of every withdrawal whose transaction has ended. */
    Instant now() {
        return jdbc.sql("SELECT clock_timestamp()")
                .query(OffsetDateTime.class)
                .single()
                .toInstant();
    }

    Set<String> withdrawnSince(String tenant, Instant moment) {
        return Set.copyOf(jdbc.sql("SELECT document_id FROM withdrawn_documents WHERE tenant = ? AND withdrawn_at >= ?")
                .params(tenant, moment.atOffset(ZoneOffset.UTC))
                .query(String.class)
                .list());
    }

    /** Those that something was learned from, or might have been. */
    List<Withdrawal> withdrawals(String tenant, int limit) {
        return jdbc.sql("""
                        SELECT w.document_id, w.examples, w.withdrawn_at,
                               coalesce(jsonb_agg(DISTINCT jsonb_build_object('adapter', j.adapter, 'digest', j.candidate, 'job', j.id))
                                   FILTER (WHERE j.candidate IS NOT NULL), '[]') AS adapters
                        FROM withdrawn_documents w
                        LEFT JOIN job_documents d USING (tenant, document_id)
                        LEFT JOIN jobs j ON j.tenant = d.tenant AND j.id = d.job_id
                        WHERE w.tenant = ? AND (w.examples > 0 OR d.job_id IS NOT NULL)
                        GROUP BY w.document_id, w.examples, w.withdrawn_at
                        ORDER BY w.withdrawn_at DESC, w.document_id LIMIT ?""")
                .params(tenant, limit)
                .query((row, number) -> new Withdrawal(
                        row.getString("document_id"),
                        row.getInt("examples"),
                        row.getObject("withdrawn_at", OffsetDateTime.class).toInstant(),
                        List.of(json.readValue(row.getString("adapters"), Withdrawal.Trained[].class))))
                .list();
    }

    private TrainingSet set(ResultSet row, int number) throws SQLException {
        return new TrainingSet(
                row.getObject("id", UUID.class),
                row.getString("digest"),
                json.readValue(row.getString("settings"), SetSettings.class),
                json.readValue(row.getString("counts"), SetCounts.class),
                row.getInt("withdrawn"),
                row.getObject("created_at", OffsetDateTime.class).toInstant());
    }

    private SetMember member(ResultSet row, int number) throws SQLException {
        Content content = json.readValue(row.getString("content"), Content.class);
        return new SetMember(
                Split.of(row.getString("split")),
                row.getString("source"),
                content.example(row.getString("example_id")));
    }

    /** An example without its id: two that say the same are one content. What was written before origins were kept has none. */
    private record Content(
            String question,
            List<String> contexts,
            List<String> documents,
            List<String> cited,
            @Nullable List<String> origins,
            String answer,
            boolean answerable) {
        static Content of(Example example) {
            return new Content(
                    example.question(),
                    example.contexts(),
                    example.documents(),
                    example.cited(),
                    example.origins(),
                    example.answer(),
                    example.answerable());
        }

        Example example(String id) {
            return new Example(
                    id,
                    question,
                    contexts,
                    documents,
                    cited,
                    origins == null ? List.of() : origins,
                    answer,
                    answerable);
        }
    }
}
