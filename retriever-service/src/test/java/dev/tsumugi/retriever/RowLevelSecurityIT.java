package dev.tsumugi.retriever;

import static dev.tsumugi.retriever.RetrieverFixture.document;
import static dev.tsumugi.retriever.RetrieverFixture.newTenant;
import static dev.tsumugi.retriever.RetrieverFixture.part;
import static dev.tsumugi.retriever.RetrieverFixture.restricted;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What plain SQL of the service's own role can see and do. */
class RowLevelSecurityIT {
    private static final List<String> TABLES =
            List.of("documents", "chunks", "postings", "tenant_statistics", "staged_parts");

    private final RetrieverFixture retriever = RetrieverFixture.get();
    private final String tenant = newTenant();
    private final String other = newTenant();

    @BeforeEach
    void index() {
        for (String owner : List.of(tenant, other)) {
            retriever.indexer().apply(document(owner, "open", 1, "one two"), Map.of());
            retriever.indexer().apply(restricted(owner, "closed", 1, List.of("hr"), "three four"), Map.of());
            retriever.indexer().apply(part(owner, "staged", 1, 0, 2, 0, "five"), Map.of());
        }
    }

    @Test
    void the_role_is_an_ordinary_one() throws SQLException {
        try (Connection connection = retriever.connect();
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(
                        "select rolsuper or rolbypassrls from pg_roles where rolname = current_user")) {
            row.next();
            assertThat(row.getBoolean(1)).isFalse();
        }
    }

    @Test
    void without_a_tenant_there_is_nothing() throws SQLException {
        try (Connection connection = retriever.connect()) {
            for (String table : TABLES) {
                assertThat(count(connection, "retriever." + table)).as(table).isZero();
            }
        }
    }

    @Test
    void with_a_tenant_there_is_only_what_the_principals_may_read() throws SQLException {
        try (Connection connection = retriever.connect()) {
            connection.setAutoCommit(false);
            become(connection, tenant, "{}", false);
            assertThat(counts(connection)).containsExactly(1L, 1L, 2L);
            become(connection, tenant, "{\"x\",\"hr\"}", false);
            assertThat(counts(connection)).containsExactly(2L, 2L, 4L);
            become(connection, tenant, "{}", true);
            assertThat(counts(connection)).containsExactly(2L, 2L, 4L);
            for (String table : TABLES) {
                assertThat(count(connection, "retriever." + table + " where tenant <> '" + tenant + "'"))
                        .as(table)
                        .isZero();
            }
        }
    }

    @Test
    void the_settings_end_with_their_transaction() throws SQLException {
        try (Connection connection = retriever.connect()) {
            connection.setAutoCommit(false);
            become(connection, tenant, "{\"hr\"}", true);
            connection.commit();
            assertThat(counts(connection)).containsExactly(0L, 0L, 0L);
        }
    }

    @Test
    void the_indexes_serve_searches_under_row_level_security() throws SQLException {
        try (Connection connection = retriever.connect();
                Statement statement = connection.createStatement()) {
            connection.setAutoCommit(false);
            become(connection, tenant, "{\"hr\"}", false);
            // A table as small as this one would otherwise be read from end to end.
            statement.execute("set local enable_seqscan = off");
            statement.execute("set local enable_sort = off");
            String vector = Arrays.toString(RetrieverFixture.vector("one")).replace(" ", "");
            assertThat(plan(
                            statement,
                            "select id from retriever.chunks where tenant = '" + tenant
                                    + "' order by embedding <=> (select cast('" + vector + "' as vector)) limit 5"))
                    .contains("Index Scan using chunks_by_embedding");
            // A page of the table for each of many postings is what makes a common word slow.
            statement.execute("set local enable_bitmapscan = off");
            statement.execute("set local enable_indexscan = off");
            String postings =
                    "select t.term, p.* from unnest(cast('{one,two}' as text[])) as t (term) cross join lateral ("
                            + "select string_agg(int8send(chunk_id) || int4send(frequency) || int4send(chunk_length), '')"
                            + " from retriever.postings where tenant = '" + tenant
                            + "' and term = t.term and acl is %s) p";
            assertThat(plan(statement, postings.formatted("null")))
                    .contains("Index Only Scan using postings_open")
                    .containsPattern("Index Cond: .*term = t.term");
            statement.execute("set local enable_indexscan = on");
            assertThat(plan(statement, postings.formatted("not null")))
                    .contains("postings_restricted")
                    .containsPattern("Index Cond: .*term = t.term");
        }
    }

    @Test
    void nothing_of_another_tenant_can_be_written() throws SQLException {
        try (Connection connection = retriever.connect();
                Statement statement = connection.createStatement()) {
            connection.setAutoCommit(false);
            become(connection, tenant, "{}", true);
            assertThat(statement.executeUpdate("update retriever.chunks set text = 'x' where tenant = '" + other + "'"))
                    .isZero();
            assertThat(statement.executeUpdate("delete from retriever.postings where tenant = '" + other + "'"))
                    .isZero();
            assertThatThrownBy(() -> statement.execute(
                            "update retriever.documents set tenant = '" + other + "' where document_id = 'open'"))
                    .hasMessageContaining("row-level security");
        }
    }

    private static void become(Connection connection, String tenant, String principals, boolean readsAll)
            throws SQLException {
        try (var statement = connection.prepareStatement("""
                select set_config('tsumugi.tenant', ?, true), set_config('tsumugi.principals', ?, true),
                       set_config('tsumugi.reads_all', ?, true)""")) {
            statement.setString(1, tenant);
            statement.setString(2, principals);
            statement.setString(3, Boolean.toString(readsAll));
            statement.execute();
        }
    }

    private static List<Long> counts(Connection connection) throws SQLException {
        return List.of(
                count(connection, "retriever.documents"),
                count(connection, "retriever.chunks"),
                count(connection, "retriever.postings"));
    }

    private static String plan(Statement statement, String query) throws SQLException {
        StringBuilder plan = new StringBuilder();
        try (ResultSet rows = statement.executeQuery("explain " + query)) {
            while (rows.next()) {
                plan.append(rows.getString(1)).append('\n');
            }
        }
        return plan.toString();
    }

    private static long count(Connection connection, String from) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery("select count(*) from " + from)) {
            row.next();
            return row.getLong(1);
        }
    }
}
