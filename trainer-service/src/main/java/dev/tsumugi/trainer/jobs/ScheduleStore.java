package dev.tsumugi.trainer.jobs;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.stereotype.Repository;
import tools.jackson.databind.json.JsonMapper;

/** Schedules in PostgreSQL. */
@Repository
class ScheduleStore {
    private static final String SELECT =
            "SELECT name, adapter, cron, zone, priority, settings, last_fired, last_job FROM schedules WHERE tenant = ?";

    private final JdbcClient jdbc;
    private final JsonMapper json;

    ScheduleStore(JdbcClient jdbc, JsonMapper json) {
        this.jdbc = jdbc;
        this.json = json;
    }

    void put(String tenant, Schedule schedule) {
        jdbc.sql("""
                        INSERT INTO schedules (tenant, name, adapter, cron, zone, priority, settings)
                        VALUES (?, ?, ?, ?, ?, ?, ?::jsonb)
                        ON CONFLICT (tenant, name) DO UPDATE
                        SET adapter = excluded.adapter, cron = excluded.cron, zone = excluded.zone,
                            priority = excluded.priority, settings = excluded.settings""")
                .params(
                        tenant,
                        schedule.name(),
                        schedule.adapter(),
                        schedule.cron(),
                        schedule.zone(),
                        schedule.priority(),
                        json.writeValueAsString(schedule.settings()))
                .update();
    }

    List<Schedule> all(String tenant) {
        return jdbc.sql(SELECT + " ORDER BY name")
                .param(tenant)
                .query(this::schedule)
                .list();
    }

    Optional<Schedule> find(String tenant, String name) {
        return jdbc.sql(SELECT + " AND name = ?")
                .params(tenant, name)
                .query(this::schedule)
                .optional();
    }

    void fired(String tenant, String name, UUID job) {
        jdbc.sql("UPDATE schedules SET last_fired = now(), last_job = ? WHERE tenant = ? AND name = ?")
                .params(job, tenant, name)
                .update();
    }

    boolean delete(String tenant, String name) {
        return jdbc.sql("DELETE FROM schedules WHERE tenant = ? AND name = ?")
                        .params(tenant, name)
                        .update()
                > 0;
    }

    private Schedule schedule(ResultSet row, int number) throws SQLException {
        OffsetDateTime fired = row.getObject("last_fired", OffsetDateTime.class);
        String cron = row.getString("cron");
        String zone = row.getString("zone");
        return new Schedule(
                row.getString("name"),
                row.getString("adapter"),
                cron,
                zone,
                row.getInt("priority"),
                json.readValue(row.getString("settings"), JobSettings.class),
                Schedule.next(cron, zone, Instant.now()).orElse(null),
                fired == null ? null : fired.toInstant(),
                row.getObject("last_job", UUID.class));
    }
}
