package dev.tsumugi.trainer.feedback;

import dev.tsumugi.contracts.api.FeedbackRequest;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.stereotype.Repository;
import tools.jackson.databind.json.JsonMapper;

/** Feedback in PostgreSQL. */
@Repository
class FeedbackStore {
    private final JdbcClient jdbc;
    private final JsonMapper json;

    FeedbackStore(JdbcClient jdbc, JsonMapper json) {
        this.jdbc = jdbc;
        this.json = json;
    }

    /** What a reviewer sees. */
    record Feedback(
            UUID id,
            String question,
            String answer,
            String rating,
            @Nullable String correctedAnswer,
            @Nullable String comment,
            Instant createdAt) {}

    UUID store(String tenant, FeedbackRequest feedback) {
        return jdbc.sql("""
                        INSERT INTO feedback
                            (tenant, question, answer, rating, corrected_answer, comment, citations, provenance)
                        VALUES (?, ?, ?, ?, ?, ?, ?::jsonb, ?::jsonb)
                        RETURNING id""")
                .params(java.util.Arrays.asList(
                        tenant,
                        feedback.question(),
                        feedback.answer(),
                        feedback.rating(),
                        feedback.correctedAnswer(),
                        feedback.comment(),
                        text(feedback.citations()),
                        text(feedback.provenance())))
                .query(UUID.class)
                .single();
    }

    List<Feedback> newest(String tenant, int limit) {
        return jdbc.sql("""
                        SELECT id, question, answer, rating, corrected_answer, comment, created_at
                        FROM feedback WHERE tenant = ? ORDER BY created_at DESC, id LIMIT ?""")
                .params(tenant, limit)
                .query((row, number) -> new Feedback(
                        row.getObject("id", UUID.class),
                        row.getString("question"),
                        row.getString("answer"),
                        row.getString("rating"),
                        row.getString("corrected_answer"),
                        row.getString("comment"),
                        row.getObject("created_at", OffsetDateTime.class).toInstant()))
                .list();
    }

    private @Nullable String text(@Nullable Object value) {
        return value == null ? null : json.writeValueAsString(value);
    }
}
