package dev.tsumugi.trainer.examples;

import java.sql.Array;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import org.springframework.jdbc.core.ConnectionCallback;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.stereotype.Repository;
import org.springframework.transaction.annotation.Transactional;

/** Examples in PostgreSQL; storing the same one again changes nothing. */
@Repository
class ExampleStore {
    private static final int BATCH = 500;
    private static final String UPSERT = """
            INSERT INTO examples AS old (tenant, id, question, contexts, answer, answerable, source)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (tenant, id) DO UPDATE
            SET question = excluded.question, contexts = excluded.contexts, answer = excluded.answer,
                answerable = excluded.answerable, source = excluded.source, updated_at = now()
            WHERE (old.question, old.contexts, old.answer, old.answerable)
                IS DISTINCT FROM (excluded.question, excluded.contexts, excluded.answer, excluded.answerable)
            """;

    private final JdbcTemplate jdbc;

    ExampleStore(JdbcTemplate jdbc) {
        this.jdbc = jdbc;
    }

    /**
     * Stores all or none.
     *
     * @return how many are new or changed
     */
    @Transactional
    int store(String tenant, List<Example> examples, String source) {
        Integer changed = jdbc.execute((ConnectionCallback<Integer>) connection -> {
            int count = 0;
            try (PreparedStatement statement = connection.prepareStatement(UPSERT)) {
                for (int i = 0; i < examples.size(); i++) {
                    bind(connection, statement, tenant, examples.get(i), source);
                    if ((i + 1) % BATCH == 0 || i + 1 == examples.size()) {
                        for (int rows : statement.executeBatch()) {
                            count += rows;
                        }
                    }
                }
            }
            return count;
        });
        return changed == null ? 0 : changed;
    }

    private static void bind(
            Connection connection, PreparedStatement statement, String tenant, Example example, String source)
            throws SQLException {
        statement.setString(1, tenant);
        statement.setString(2, example.id());
        statement.setString(3, example.question());
        statement.setArray(
                4, connection.createArrayOf("text", example.contexts().toArray()));
        statement.setString(5, example.answer());
        statement.setBoolean(6, example.answerable());
        statement.setString(7, source);
        statement.addBatch();
    }

    /** Ordered by id, those behind {@code after}. */
    List<Example> page(String tenant, String after, int limit) {
        return jdbc.query(
                "SELECT id, question, contexts, answer, answerable FROM examples WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?",
                (row, number) -> example(row),
                tenant,
                after,
                limit);
    }

    long count(String tenant) {
        Long count = jdbc.queryForObject("SELECT count(*) FROM examples WHERE tenant = ?", Long.class, tenant);
        return count == null ? 0 : count;
    }

    /** @return false when there was none */
    boolean delete(String tenant, String id) {
        return jdbc.update("DELETE FROM examples WHERE tenant = ? AND id = ?", tenant, id) > 0;
    }

    private static Example example(ResultSet row) throws SQLException {
        Array contexts = row.getArray("contexts");
        return new Example(
                row.getString("id"),
                row.getString("question"),
                List.of((String[]) contexts.getArray()),
                row.getString("answer"),
                row.getBoolean("answerable"));
    }
}
