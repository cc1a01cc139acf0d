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
import java.util.Set;
import java.util.StringJoiner;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
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
        Question question = new Question(caller, query, limit, filter);
        if (mode == SearchMode.LEXICAL) {
            return answer(question, mode, QueryVector.NONE, null);
        }
        Optional<QueryVector> remembered = queryEmbeddings.remembered(caller.tenant(), query);
        if (remembered.isPresent()) {
            return answer(question, mode, remembered.get(), null);
        }
        if (mode == SearchMode.HYBRID) {
            return matchWhileEmbedding(question);
        }
        return queryEmbeddings
                .find(caller.tenant(), query)
                .map(vector -> answer(question, mode, vector, null))
                .orElseThrow(
                        () -> new ProblemException(
                                HttpStatus.SERVICE_UNAVAILABLE,
                                "vector-search-unavailable",
                                "The embed service does not answer, so there is no vector to search with. Try again in a few seconds, or search in the mode lexical."));
    }

    private record Question(Caller caller, String query, int limit, Map<String, String> filter) {
        boolean isFiltered() {
            return !filter.isEmpty();
        }
    }

    /** The lexical leg needs no vector. No connection is held while waiting for either leg, so that searches cannot lock each other out. */
    private SearchResponse matchWhileEmbedding(Question question) {
        MapSqlParameterSource words = parameters(question, SearchMode.LEXICAL, QueryVector.NONE);
        FutureTask<List<Long>> matching = new FutureTask<>(() -> transactions.read(
                question.caller(),
                () -> jdbc.queryForList(SearchSql.candidates(question.isFiltered()), words, Long.class)));
        Thread.ofVirtual().name("lexical-leg").start(matching);
        Optional<QueryVector> vector = queryEmbeddings.find(question.caller().tenant(), question.query());
        if (vector.isEmpty()) {
            return answer(question, SearchMode.LEXICAL, QueryVector.NONE, WITHOUT_VECTORS);
        }
        MapSqlParameterSource parameters = parameters(question, SearchMode.VECTOR, vector.get())
                .addValue("matched", result(matching).toArray(Long[]::new), Types.ARRAY);
        return answer(question, SearchSql.fused(question.isFiltered()), parameters, vector.get(), null);
    }

    private static <T> T result(Future<T> leg) {
        try {
            return leg.get();
        } catch (ExecutionException e) {
            throw e.getCause() instanceof RuntimeException cause ? cause : new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while words were searched", e);
        }
    }

    private SearchResponse answer(Question question, SearchMode mode, QueryVector vector, @Nullable String degraded) {
        String sql = SearchSql.hits(mode, question.isFiltered());
        return answer(question, sql, parameters(question, mode, vector), vector, degraded);
    }

    private SearchResponse answer(
            Question question,
            String sql,
            MapSqlParameterSource parameters,
            QueryVector vector,
            @Nullable String degraded) {
        List<Hit> hits =
                transactions.read(question.caller(), () -> jdbc.query(sql, parameters, (row, number) -> hit(row)));
        return new SearchResponse(hits, vector.generation(), degraded);
    }

    private MapSqlParameterSource parameters(Question question, SearchMode mode, QueryVector vector) {
        Caller caller = question.caller();
        MapSqlParameterSource parameters = new MapSqlParameterSource()
                .addValue("tenant", caller.tenant())
                .addValue("readsAll", caller.readsAll())
                .addValue("principals", caller.principals().toArray(String[]::new), Types.ARRAY)
                .addValue("vector", vector.isNone() ? null : text(vector.values()), Types.VARCHAR)
                .addValue("generation", vector.generation())
                .addValue("candidates", Math.max(CANDIDATES, question.limit()))
                .addValue("limit", question.limit());
        if (mode != SearchMode.VECTOR) {
            Set<String> terms = analyzer.analyze(question.query()).frequencies().keySet();
            parameters.addValue("terms", terms.toArray(String[]::new), Types.ARRAY);
        }
        if (question.isFiltered()) {
            parameters.addValue("filter", json.writeValueAsString(question.filter()));
        }
        return parameters;
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
