package dev.tsumugi.trainer.jobs;

import dev.tsumugi.engine.train.MemoryForecast;
import dev.tsumugi.trainer.gate.GateReport;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.stereotype.Repository;
import tools.jackson.databind.json.JsonMapper;

/** Jobs in PostgreSQL. Whoever runs one holds its attempt number; a runner that was thought dead finds that it has a successor. */
@Repository
class JobStore {
    private static final int MOST_POINTS = 1000;
    private static final String COLUMNS = """
            id, adapter, state, priority, settings, schedule, set_id, attempts, progress, forecast, notes, trials, message, report,
            candidate, champion, created_at, started_at, finished_at""";

    private final JdbcClient jdbc;
    private final JdbcTemplate template;
    private final JsonMapper json;

    JobStore(JdbcClient jdbc, JdbcTemplate template, JsonMapper json) {
        this.jdbc = jdbc;
        this.template = template;
        this.json = json;
    }

    UUID insert(String tenant, String adapter, int priority, JobSettings settings, @Nullable String schedule) {
        return jdbc.sql("""
                        INSERT INTO jobs (tenant, adapter, state, priority, settings, schedule)
                        VALUES (?, ?, 'QUEUED', ?, ?::jsonb, ?) RETURNING id""")
                .params(Arrays.asList(tenant, adapter, priority, json.writeValueAsString(settings), schedule))
                .query(UUID.class)
                .single();
    }

    int unfinished(String tenant) {
        return jdbc.sql("SELECT count(*) FROM jobs WHERE tenant = ? AND finished_at IS NULL")
                .param(tenant)
                .query(Integer.class)
                .single();
    }

    /** The newest first, without reports and losses. */
    List<Job> newest(String tenant, int limit) {
        return jdbc.sql("SELECT " + COLUMNS.replace("report", "NULL AS report")
                        + " FROM jobs WHERE tenant = ? ORDER BY created_at DESC, id LIMIT ?")
                .params(tenant, limit)
                .query(this::job)
                .list();
    }

    Optional<Job> find(String tenant, UUID id) {
        return jdbc.sql("SELECT " + COLUMNS + " FROM jobs WHERE tenant = ? AND id = ?")
                .params(tenant, id)
                .query(this::job)
                .optional();
    }

    /** At most a thousand points of each kind, evenly spread, the last one among them. */
    Job.Losses losses(String tenant, UUID id) {
        return new Job.Losses(losses(tenant, id, "train"), losses(tenant, id, "validation"));
    }

    private List<Job.Loss> losses(String tenant, UUID id, String split) {
        List<Job.Loss> all = jdbc.sql("""
                        SELECT step, loss, learning_rate FROM job_losses
                        WHERE tenant = ? AND job_id = ? AND split = ? ORDER BY step""")
                .params(tenant, id, split)
                .query((row, number) -> new Job.Loss(
                        row.getInt("step"), row.getDouble("loss"), row.getObject("learning_rate", Double.class)))
                .list();
        int every = Math.ceilDiv(all.size(), MOST_POINTS);
        if (every <= 1) {
            return all;
        }
        List<Job.Loss> kept = new ArrayList<>();
        for (int i = 0; i < all.size(); i++) {
            if ((all.size() - 1 - i) % every == 0) {
                kept.add(all.get(i));
            }
        }
        return kept;
    }

    /**
     * Takes a job that is not finished, from whoever had it before.
     *
     * @return the number of this attempt; empty when there is nothing to do
     */
    Optional<Integer> begin(String tenant, UUID id) {
        return jdbc.sql("""
                        UPDATE jobs SET attempts = attempts + 1, state = 'PREPARING', progress = NULL,
                            started_at = coalesce(started_at, now())
                        WHERE tenant = ? AND id = ? AND finished_at IS NULL RETURNING attempts""").params(tenant, id).query(Integer.class).optional();
    }

    /** @return false when the job is not this runner's any more */
    boolean progress(String tenant, UUID id, int attempt, JobState state, JobProgress progress) {
        return jdbc.sql("UPDATE jobs SET state = ?, progress = ?::jsonb" + MINE)
                        .params(state.name(), json.writeValueAsString(progress), tenant, id, attempt)
                        .update()
                > 0;
    }

    private static final String MINE = " WHERE tenant = ? AND id = ? AND attempts = ? AND finished_at IS NULL";

    void set(String tenant, UUID id, UUID set) {
        jdbc.sql("UPDATE jobs SET set_id = ? WHERE tenant = ? AND id = ?")
                .params(set, tenant, id)
                .update();
    }

    void notes(String tenant, UUID id, List<String> notes) {
        jdbc.sql("UPDATE jobs SET notes = ?::jsonb WHERE tenant = ? AND id = ?")
                .params(json.writeValueAsString(notes), tenant, id)
                .update();
    }

    void trials(String tenant, UUID id, List<Trial> trials) {
        jdbc.sql("UPDATE jobs SET trials = ?::jsonb WHERE tenant = ? AND id = ?")
                .params(json.writeValueAsString(trials), tenant, id)
                .update();
    }

    void forecast(String tenant, UUID id, MemoryForecast forecast) {
        jdbc.sql("UPDATE jobs SET forecast = ?::jsonb WHERE tenant = ? AND id = ?")
                .params(json.writeValueAsString(forecast), tenant, id)
                .update();
    }

    void report(String tenant, UUID id, GateReport report) {
        jdbc.sql("UPDATE jobs SET report = ?::jsonb, champion = ? WHERE tenant = ? AND id = ?")
                .params(json.writeValueAsString(report), report.champion().name(), tenant, id)
                .update();
    }

    void candidate(String tenant, UUID id, String digest) {
        jdbc.sql("UPDATE jobs SET candidate = ? WHERE tenant = ? AND id = ?")
                .params(digest, tenant, id)
                .update();
    }

    /** The same step again, after a resumption, replaces what was there. */
    void loss(String tenant, UUID id, String split, Job.Loss loss) {
        jdbc.sql("""
                        INSERT INTO job_losses (tenant, job_id, split, step, loss, learning_rate)
                        VALUES (?, ?, ?, ?, ?, ?)
                        ON CONFLICT (tenant, job_id, split, step) DO UPDATE
                        SET loss = excluded.loss, learning_rate = excluded.learning_rate""")
                .params(Arrays.asList(tenant, id, split, loss.step(), loss.loss(), loss.learningRate()))
                .update();
    }

    void documents(String tenant, UUID id, Collection<String> documents) {
        template.batchUpdate(
                "INSERT INTO job_documents (tenant, document_id, job_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                documents,
                500,
                (statement, document) -> {
                    statement.setString(1, tenant);
                    statement.setString(2, document);
                    statement.setObject(3, id);
                });
    }

    /** The job does not learn from these after all. */
    void forgetDocuments(String tenant, UUID id, Collection<String> documents) {
        template.batchUpdate(
                "DELETE FROM job_documents WHERE tenant = ? AND document_id = ? AND job_id = ?",
                documents,
                500,
                (statement, document) -> {
                    statement.setString(1, tenant);
                    statement.setString(2, document);
                    statement.setObject(3, id);
                });
    }

    /** @return whether it was not finished before */
    boolean finish(String tenant, UUID id, int attempt, JobState state, String message) {
        return jdbc.sql("UPDATE jobs SET state = ?, message = ?, finished_at = now()" + MINE)
                        .params(state.name(), message, tenant, id, attempt)
                        .update()
                > 0;
    }

    /** Back to the others that wait, after a failure or when its trainer stops. */
    void requeue(String tenant, UUID id, int attempt, @Nullable String message) {
        jdbc.sql("UPDATE jobs SET state = 'QUEUED', message = ?" + MINE)
                .params(Arrays.asList(message, tenant, id, attempt))
                .update();
    }

    /** One that waits is cancelled at once, one that runs at its next pause. */
    void cancel(String tenant, UUID id) {
        jdbc.sql("""
                        UPDATE jobs SET cancel_requested = true,
                            finished_at = CASE WHEN state = 'QUEUED' THEN now() ELSE finished_at END,
                            message = CASE WHEN state = 'QUEUED' THEN 'Cancelled before it began.' ELSE message END,
                            state = CASE WHEN state = 'QUEUED' THEN 'CANCELLED' ELSE state END
                        WHERE tenant = ? AND id = ? AND finished_at IS NULL""").params(tenant, id).update();
    }

    boolean isCancelled(String tenant, UUID id) {
        return jdbc.sql("SELECT cancel_requested FROM jobs WHERE tenant = ? AND id = ?")
                .params(tenant, id)
                .query(Boolean.class)
                .optional()
                .orElse(true);
    }

    /** Whether the last finished job of the schedule had this set and these settings, and came to a verdict. */
    boolean isRepetition(String tenant, UUID id, String schedule, UUID set, JobSettings settings) {
        return jdbc.sql("""
                        SELECT set_id = ? AND settings = ?::jsonb AND state IN ('PROMOTED', 'REJECTED', 'UNCHANGED')
                        FROM jobs WHERE tenant = ? AND schedule = ? AND id <> ? AND finished_at IS NOT NULL
                        ORDER BY finished_at DESC LIMIT 1""")
                .params(set, json.writeValueAsString(settings), tenant, schedule, id)
                .query(Boolean.class)
                .optional()
                .orElse(false);
    }

    private Job job(ResultSet row, int number) throws SQLException {
        String progress = row.getString("progress");
        String forecast = row.getString("forecast");
        String report = row.getString("report");
        return new Job(
                row.getObject("id", UUID.class),
                row.getString("adapter"),
                JobState.valueOf(row.getString("state")),
                row.getInt("priority"),
                json.readValue(row.getString("settings"), JobSettings.class),
                row.getString("schedule"),
                row.getObject("set_id", UUID.class),
                row.getInt("attempts"),
                progress == null ? null : json.readValue(progress, JobProgress.class),
                forecast == null ? null : json.readValue(forecast, MemoryForecast.class),
                List.of(json.readValue(row.getString("notes"), String[].class)),
                List.of(json.readValue(row.getString("trials"), Trial[].class)),
                row.getString("message"),
                report == null ? null : json.readTree(report),
                row.getString("candidate"),
                row.getString("champion"),
                instant(row, "created_at").orElseThrow(),
                instant(row, "started_at").orElse(null),
                instant(row, "finished_at").orElse(null),
                null);
    }

    private static Optional<Instant> instant(ResultSet row, String column) throws SQLException {
        return Optional.ofNullable(row.getObject(column, OffsetDateTime.class)).map(OffsetDateTime::toInstant);
    }
}
