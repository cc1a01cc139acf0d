package dev.tsumugi.retriever.search;

import dev.tsumugi.contracts.api.SearchMode;
import dev.tsumugi.contracts.api.SearchResponse;
import dev.tsumugi.contracts.api.SearchResponse.Hit;
import dev.tsumugi.platform.web.Caller;
import dev.tsumugi.platform.web.ProblemException;
import dev.tsumugi.retriever.embedding.QueryEmbeddings;
import dev.tsumugi.retriever.embedding.QueryEmbeddings.QueryVector;
import dev.tsumugi.retriever.tenancy.TenantTransactions;
import dev.tsumugi.retriever.terms.TermAnalyzer;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.StringJoiner;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpStatus;
import org.springframework.jdbc.core.namedparam.MapSqlParameterSource;
import org.springframework.jdbc.core.namedparam.NamedParameterJdbcTemplate;
import org.springframework.stereotype.Component;
import tools.jackson.databind.json.JsonMapper;

/** Searches the visible chunks that a caller may read. */
@Component
public class HybridSearch {
    /** How many chunks each leg hands to the fusion. */
    private static final int CANDIDATES = 50;

    private static final String WITHOUT_VECTORS =
            "Vector search is unavailable, because the embed service does not answer. These passages were found by their words alone.";

    private final TenantTransactions transactions;
    private final NamedParameterJdbcTemplate jdbc;
    private final QueryEmbeddings queryEmbeddings;
    private final TermAnalyzer analyzer;
    private final JsonMapper json = JsonMapper.shared();

    HybridSearch(
            TenantTransactions transactions,
            NamedParameterJdbcTemplate jdbc,
            QueryEmbeddings queryEmbeddings,
            TermAnalyzer analyzer) {
        this.transactions = transactions;
        this.jdbc = jdbc;
        this.queryEmbeddings = queryEmbeddings;
        this.analyzer = analyzer;
    }

    /**
     * @param limit most hits
     * @param filter metadata that a hit's document must carry; empty: any
     * @return best first
     * @throws ProblemException 503 when nothing but vectors is to be searched and there is none for the query; by words it goes on without
     */
    public SearchResponse search(Caller caller, String query, int limit, SearchMode mode, Map<String, String> filter) {
        if (mode == SearchMode.LEXICAL) {
            return search(caller, query, limit, mode, filter, QueryVector.NONE, null);
        }
        Optional<QueryVector> vector = queryEmbeddings.find(caller.tenant(), query);
        if (vector.isPresent()) {
            return search(caller, query, limit, mode, filter, vector.get(), null);
        }
        if (mode == SearchMode.VECTOR) {
            throw new ProblemException(
                    HttpStatus.SERVICE_UNAVAILABLE,
                    "vector-search-unavailable",
                    "The embed service does not answer, so there is no vector to search with. Try again in a few seconds, or search in the mode lexical.");
        }
        return search(caller, query, limit, SearchMode.LEXICAL, filter, QueryVector.NONE, WITHOUT_VECTORS);
    }

    private SearchResponse search(
            Caller caller,
            String query,
            int limit,
            SearchMode mode,
            Map<String, String> filter,
            QueryVector vector,
            @Nullable String degraded) {
        MapSqlParameterSource parameters = new MapSqlParameterSource()
                .addValue("tenant", caller.tenant())
                .addValue("readsAll", caller.readsAll())
                .addValue("principals", caller.principals().toArray(String[]::new), Types.ARRAY)
                .addValue("vector", vector.isNone() ? null : text(vector.values()), Types.VARCHAR)
                .addValue("generation", vector.generation())
                .addValue("candidates", Math.max(CANDIDATES, limit))
                .addValue("limit", limit);
        if (mode != SearchMode.VECTOR) {
            parameters.addValue(
                    "terms", analyzer.analyze(query).frequencies().keySet().toArray(String[]::new), Types.ARRAY);
        }
        if (!filter.isEmpty()) {
            parameters.addValue("filter", json.writeValueAsString(filter));
        }
        String sql = SearchSql.of(mode, !filter.isEmpty());
        List<Hit> hits = transactions.read(caller, () -> jdbc.query(sql, parameters, (row, number) -> hit(row)));
        return new SearchResponse(hits, vector.generation(), degraded);
    }

    /** A chunk by its id; empty when it is not there, not visible any more, or not the caller's to read. */
    Optional<Hit> chunk(Caller caller, ChunkId id) {
        MapSqlParameterSource parameters = new MapSqlParameterSource()
                .addValue("tenant", caller.tenant())
                .addValue("readsAll", caller.readsAll())
                .addValue("principals", caller.principals().toArray(String[]::new), Types.ARRAY)
                .addValue("documentId", id.documentId())
                .addValue("version", id.version())
                .addValue("position", id.position());
        return transactions.read(
                caller,
                () -> jdbc.query("""
                                select c.document_id, d.version, c.position, d.title, c.heading, c.text, 0 as score, 0 as similarity,
                                       c.start_offset, c.end_offset
                                from retriever.chunks c
                                join retriever.documents d on d.tenant = c.tenant and d.document_id = c.document_id
                                where c.tenant = :tenant and c.document_id = :documentId and d.version = :version
                                  and c.position = :position
                                  and (c.acl is null or :readsAll or c.acl && cast(:principals as text[]))
                                """, parameters, (row, number) -> hit(row)).stream()
                        .findFirst());
    }

    private static Hit hit(ResultSet row) throws SQLException {
        ChunkId id = new ChunkId(row.getString(1), row.getLong(2), row.getInt(3));
        return new Hit(
                id.documentId(),
                id.toString(),
                id.version(),
                row.getString(4),
                row.getString(5),
                row.getString(6),
                row.getDouble(7),
                row.getDouble(8),
                row.getInt(9),
                row.getInt(10));
    }

    private static String text(float[] vector) {
        StringJoiner text = new StringJoiner(",", "[", "]");
        for (float value : vector) {
            text.add(Float.toString(value));
        }
        return text.toString();
    }
}
