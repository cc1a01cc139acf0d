package dev.tsumugi.trainer.examples;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import org.springframework.jdbc.core.ConnectionCallback;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.stereotype.Repository;
import org.springframework.transaction.annotation.Transactional;

/** Examples in PostgreSQL, without what the {@link PersonalDataFilter} takes out; storing the same one again changes nothing. */
@Repository
public class ExampleStore {
    private static final int BATCH = 500;
    private static final String UPSERT = """
            INSERT INTO examples AS old (tenant, id, question, contexts, documents, cited, answer, answerable, source)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (tenant, id) DO UPDATE
            SET question = excluded.question, contexts = excluded.contexts, documents = excluded.documents,
                cited = excluded.cited, answer = excluded.answer, answerable = excluded.answerable, source = excluded.source, updated_at = now()
            WHERE (old.question, old.contexts, old.documents, old.cited, old.answer, old.answerable)
                IS DISTINCT FROM (excluded.question, excluded.contexts, excluded.documents, excluded.cited,
                    excluded.answer, excluded.answerable)
            """;

    private static final String COLUMNS = "id, question, contexts, documents, cited, answer, answerable, source";

    private final JdbcTemplate jdbc;
    private final PersonalDataFilter filter;

    ExampleStore(JdbcTemplate jdbc, PersonalDataFilter filter) {
        this.jdbc = jdbc;
        this.filter = filter;
    }

    /** @param source {@code import}, {@code topic} or {@code feedback} */
    public record Stored(Example example, String source) {}

    /**
     * Stores all or none.
     *
     * @param source {@code import}, {@code topic} or {@code feedback}
     * @return how many are new or changed
     */
    @Transactional
    public int store(String tenant, List<Example> examples, String source) {
        Integer changed = jdbc.execute((ConnectionCallback<Integer>) connection -> {
            int count = 0;
            try (PreparedStatement statement = connection.prepareStatement(UPSERT)) {
                for (int i = 0; i < examples.size(); i++) {
                    bind(connection, statement, tenant, filtered(examples.get(i)), source);
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

    private Example filtered(Example example) {
        return new Example(
                example.id(),
                filter.withoutPersonalData(example.question()),
                example.contexts().stream().map(filter::withoutPersonalData).toList(),
                example.documents(),
                example.cited(),
                example.origins(),
                filter.withoutPersonalData(example.answer()),
                example.answerable());
    }

    private static void bind(
            Connection connection, PreparedStatement statement, String tenant, Example example, String source)
            throws SQLException {
        statement.setString(1, tenant);
        statement.setString(2, example.id());
        statement.setString(3, example.question());
        statement.setArray(
                4, connection.createArrayOf("text", example.contexts().toArray()));
        statement.setArray(
                5, connection.createArrayOf("text", example.documents().toArray()));
        statement.setArray(6, connection.createArrayOf("text", example.cited().toArray()));
        statement.setString(7, example.answer());
        statement.setBoolean(8, example.answerable());
        statement.setString(9, source);
        statement.addBatch();
    }

    /** Ordered by id, those behind {@code after}. */
    public List<Stored> page(String tenant, String after, int limit) {
        return jdbc.query(
                "SELECT " + COLUMNS + " FROM examples WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?",
                (row, number) -> new Stored(example(row), row.getString("source")),
                tenant,
                after,
                limit);
    }

    long count(String tenant) {
        Long count = jdbc.queryForObject("SELECT count(*) FROM examples WHERE tenant = ?", Long.class, tenant);
        return count == null ? 0 : count;
    }

    /** Id of the example that is generated from the example {@code id}. */
    public static String generatedId(String id) {
        return "unanswerable-" + id;
    }

    /**
     * Also from the yardstick of the gate; sets that were made stay as they are.
     *
     * @return false when there was none
     */
    @Transactional
    public boolean delete(String tenant, String id) {
        jdbc.update("DELETE FROM held_out WHERE tenant = ? AND example_id IN (?, ?)", tenant, id, generatedId(id));
        return jdbc.update("DELETE FROM examples WHERE tenant = ? AND id = ?", tenant, id) > 0;
    }

    /** @return how many there were */
    public int deleteByDocument(String tenant, String document) {
        return jdbc.update(
                "DELETE FROM examples WHERE tenant = ? AND (documents || cited) @> ARRAY[?]::text[]", tenant, document);
    }

    private static Example example(ResultSet row) throws SQLException {
        return new Example(
                row.getString("id"),
                row.getString("question"),
                texts(row, "contexts"),
                texts(row, "documents"),
                texts(row, "cited"),
                List.of(),
                row.getString("answer"),
                row.getBoolean("answerable"));
    }

    private static List<String> texts(ResultSet row, String column) throws SQLException {
        String[] texts = (String[]) row.getArray(column).getArray();
        return List.of(texts);
    }
}
