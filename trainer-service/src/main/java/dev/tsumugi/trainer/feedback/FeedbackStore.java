package dev.tsumugi.trainer.feedback;

import dev.tsumugi.contracts.api.AskResponse;
import dev.tsumugi.contracts.api.FeedbackRequest;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.stereotype.Repository;
import tools.jackson.databind.json.JsonMapper;

/** Feedback in PostgreSQL. */
@Repository
class FeedbackStore {
    private static final String SELECT = """
            SELECT id, question, answer, rating, corrected_answer, comment, citations, review, example_id, created_at
            FROM feedback WHERE tenant = :tenant""";

    private final JdbcClient jdbc;
    private final JsonMapper json;

    FeedbackStore(JdbcClient jdbc, JsonMapper json) {
        this.jdbc = jdbc;
        this.json = json;
    }

    /**
     * What a reviewer sees.
     *
     * @param cited documents that the answer cited
     * @param review {@code open}, {@code approved} or {@code rejected}
     * @param exampleId of the example that an approval made of it
     */
    record Feedback(
            UUID id,
            String question,
            String answer,
            String rating,
            @Nullable String correctedAnswer,
            @Nullable String comment,
            List<String> cited,
            String review,
            @Nullable String exampleId,
            Instant createdAt) {}

    UUID store(String tenant, FeedbackRequest feedback) {
        return jdbc.sql("""
                        INSERT INTO feedback
                            (tenant, question, answer, rating, corrected_answer, comment, citations, provenance)
                        VALUES (?, ?, ?, ?, ?, ?, ?::jsonb, ?::jsonb)
                        RETURNING id""")
                .params(Arrays.asList(
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

    /** @param review null: in whatever state */
    List<Feedback> newest(String tenant, @Nullable String review, int limit) {
        return jdbc.sql(SELECT + " AND (review = :review OR CAST(:review AS text) IS NULL)"
                        + " ORDER BY created_at DESC, id LIMIT :limit")
                .param("tenant", tenant)
                .param("review", review)
                .param("limit", limit)
                .query(this::feedback)
                .list();
    }

    /** Locks it until the transaction ends. */
    Optional<Feedback> lock(String tenant, UUID id) {
        return jdbc.sql(SELECT + " AND id = :id FOR UPDATE")
                .param("tenant", tenant)
                .param("id", id)
                .query(this::feedback)
                .optional();
    }

    void review(String tenant, UUID id, String review, @Nullable String exampleId) {
        jdbc.sql("""
                        UPDATE feedback SET review = ?, example_id = ?, reviewed_at = now()
                        WHERE tenant = ? AND id = ?""").params(Arrays.asList(review, exampleId, tenant, id)).update();
    }

    private Feedback feedback(ResultSet row, int number) throws SQLException {
        return new Feedback(
                row.getObject("id", UUID.class),
                row.getString("question"),
                row.getString("answer"),
                row.getString("rating"),
                row.getString("corrected_answer"),
                row.getString("comment"),
                cited(row.getString("citations")),
                row.getString("review"),
                row.getString("example_id"),
                row.getObject("created_at", OffsetDateTime.class).toInstant());
    }

    private List<String> cited(@Nullable String citations) {
        return citations == null
                ? List.of()
                : Arrays.stream(json.readValue(citations, AskResponse.Citation[].class))
                        .map(AskResponse.Citation::documentId)
                        .distinct()
                        .toList();
    }

    private @Nullable String text(@Nullable Object value) {
        return value == null ? null : json.writeValueAsString(value);
    }
}
