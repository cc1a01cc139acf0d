package dev.tsumugi.retriever.search;

import dev.tsumugi.contracts.api.SearchMode;
import dev.tsumugi.contracts.api.SearchResponse;
import dev.tsumugi.contracts.api.SearchResponse.Hit;
import dev.tsumugi.platform.web.Caller;
import dev.tsumugi.platform.web.ProblemException;
import dev.tsumugi.retriever.embedding.QueryEmbeddings;
import dev.tsumugi.retriever.embedding.QueryEmbeddings.QueryVector;
import dev.tsumugi.retriever.search.Bm25.Match;
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
import java.util.concurrent.Semaphore;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpStatus;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.core.namedparam.MapSqlParameterSource;
import org.springframework.jdbc.core.namedparam.NamedParameterJdbcTemplate;
import org.springframework.stereotype.Component;
import tools.jackson.databind.json.JsonMapper;

/** Searches the visible chunks that a caller may read. */
@Component
public class HybridSearch {
    /** How many chunks each leg hands to the fusion. */
    private static final int CANDIDATES = 50;

    /** A query may have thousands of terms, and a term as many postings as the tenant has chunks; only so many terms' are in memory at a time. */
    private static final int TERMS_AT_ONCE = 2;

    private static final byte[] NO_POSTINGS = {};

    /** Searches that sum postings at a time: more would not be faster, and each may need some ten MB for every 100,000 chunks of its tenant. */
    private static final int SUMS_AT_ONCE = Math.max(2, Runtime.getRuntime().availableProcessors());

    private static final String WITHOUT_VECTORS =
            "Vector search is unavailable, because the embed service does not answer. These passages were found by their words alone.";

    private final TenantTransactions transactions;
    private final NamedParameterJdbcTemplate jdbc;
    private final NamedParameterJdbcTemplate byTerm;
    private final QueryEmbeddings queryEmbeddings;
    private final TermAnalyzer analyzer;
    private final JsonMapper json = JsonMapper.shared();
    private final Semaphore sums = new Semaphore(SUMS_AT_ONCE);

    HybridSearch(
            TenantTransactions transactions,
            DataSource database,
            QueryEmbeddings queryEmbeddings,
            TermAnalyzer analyzer) {
        this.transactions = transactions;
        this.jdbc = new NamedParameterJdbcTemplate(database);
        JdbcTemplate fewRows = new JdbcTemplate(database);
        fewRows.setFetchSize(TERMS_AT_ONCE);
        this.byTerm = new NamedParameterJdbcTemplate(fewRows);
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
            return transactions.read(caller, () -> byWords(question, matching(question), null));
        }
        Optional<QueryVector> remembered = queryEmbeddings.remembered(caller.tenant(), query);
        if (mode == SearchMode.HYBRID) {
            return remembered
                    .map(vector -> transactions.read(caller, () -> fused(question, vector, matching(question))))
                    .orElseGet(() -> matchWhileEmbedding(question));
        }
        return remembered
                .or(() -> queryEmbeddings.find(caller.tenant(), query))
                .map(vector -> transactions.read(caller, () -> byVectors(question, vector)))
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

        int candidates() {
            return Math.max(CANDIDATES, limit);
        }
    }

    /** The lexical leg needs no vector. No connection is held while waiting for either leg, so that searches cannot lock each other out. */
    private SearchResponse matchWhileEmbedding(Question question) {
        Caller caller = question.caller();
        FutureTask<List<Match>> leg = new FutureTask<>(() -> transactions.read(caller, () -> matching(question)));
        Thread.ofVirtual().name("lexical-leg").start(leg);
        Optional<QueryVector> vector = queryEmbeddings.find(caller.tenant(), question.query());
        List<Match> matching = result(leg);
        return transactions.read(
                caller, () -> answer(question, vector, areVisible(matching) ? matching : matching(question)));
    }

    /** Whether none was replaced since it was found in another transaction. */
    private boolean areVisible(List<Match> matches) {
        MapSqlParameterSource parameters = new MapSqlParameterSource().addValue("ids", ids(matches), Types.ARRAY);
        Integer visible = jdbc.queryForObject(SearchSql.VISIBLE, parameters, Integer.class);
        return visible != null && visible == matches.size();
    }

    private SearchResponse answer(Question question, Optional<QueryVector> vector, List<Match> matching) {
        return vector.map(found -> fused(question, found, matching))
                .orElseGet(() -> byWords(question, matching, WITHOUT_VECTORS));
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

    /** The best chunks by their words. */
    private List<Match> matching(Question question) {
        Set<String> terms = analyzer.analyze(question.query()).frequencies().keySet();
        if (terms.isEmpty()) {
            return List.of();
        }
        MapSqlParameterSource parameters =
                parameters(question.caller()).addValue("terms", terms.toArray(String[]::new), Types.ARRAY);
        Bm25 scores = sum(parameters);
        int wanted = question.candidates();
        if (!question.isFiltered()) {
            return scores.best(wanted);
        }
        // Frequencies count what the filter leaves out, too; so it comes last, on more and more of the best.
        for (int count = 4 * wanted; ; count *= 8) {
            List<Match> best = scores.best(count);
            List<Match> carrying = carrying(question, best);
            if (carrying.size() >= wanted || best.size() < count) {
                return carrying.subList(0, Math.min(wanted, carrying.size()));
            }
        }
    }

    private Bm25 sum(MapSqlParameterSource parameters) {
        sums.acquireUninterruptibly();
        try {
            return byTerm.query(SearchSql.POSTINGS, parameters, HybridSearch::scores);
        } finally {
            sums.release();
        }
    }

    private static Bm25 scores(ResultSet rows) throws SQLException {
        @Nullable Bm25 scores = null;
        while (rows.next()) {
            if (scores == null) {
                scores = new Bm25(rows.getLong(1), rows.getLong(2));
            }
            byte @Nullable [] open = rows.getBytes(3);
            byte @Nullable [] restricted = rows.getBytes(4);
            scores.addTerm(open == null ? NO_POSTINGS : open, restricted == null ? NO_POSTINGS : restricted);
        }
        return scores == null ? new Bm25(0, 0) : scores;
    }

    private List<Match> carrying(Question question, List<Match> matches) {
        MapSqlParameterSource parameters = parameters(question.caller())
                .addValue("ids", ids(matches), Types.ARRAY)
                .addValue("filter", json.writeValueAsString(question.filter()));
        Set<Long> carrying = Set.copyOf(jdbc.queryForList(SearchSql.CARRYING, parameters, Long.class));
        return matches.stream()
                .filter(match -> carrying.contains(match.chunkId()))
                .toList();
    }

    private SearchResponse byWords(Question question, List<Match> matching, @Nullable String degraded) {
        return answer(question, SearchMode.LEXICAL, QueryVector.NONE, matching, degraded);
    }

    private SearchResponse byVectors(Question question, QueryVector vector) {
        return answer(question, SearchMode.VECTOR, vector, List.of(), null);
    }

    private SearchResponse fused(Question question, QueryVector vector, List<Match> matching) {
        return answer(question, SearchMode.HYBRID, vector, matching, null);
    }

    private SearchResponse answer(
            Question question, SearchMode mode, QueryVector vector, List<Match> matching, @Nullable String degraded) {
        MapSqlParameterSource parameters = parameters(question.caller())
                .addValue("vector", vector.isNone() ? null : text(vector.values()), Types.VARCHAR)
                .addValue("generation", vector.generation())
                .addValue("candidates", question.candidates())
                .addValue("limit", question.limit())
                .addValue("matches", ids(matching), Types.ARRAY)
                .addValue("scores", matching.stream().map(Match::score).toArray(Double[]::new), Types.ARRAY);
        if (question.isFiltered()) {
            parameters.addValue("filter", json.writeValueAsString(question.filter()));
        }
        String sql = SearchSql.hits(mode, question.isFiltered());
        List<Hit> hits = jdbc.query(sql, parameters, (row, number) -> hit(row));
        return new SearchResponse(hits, vector.generation(), degraded);
    }

    private static Long[] ids(List<Match> matches) {
        return matches.stream().map(Match::chunkId).toArray(Long[]::new);
    }

    private static MapSqlParameterSource parameters(Caller caller) {
        return new MapSqlParameterSource()
                .addValue("tenant", caller.tenant())
                .addValue("readsAll", caller.readsAll())
                .addValue("principals", caller.principals().toArray(String[]::new), Types.ARRAY);
    }

    /** A chunk by its id; empty when it is not there, not visible any more, or not the caller's to read. */
    Optional<Hit> chunk(Caller caller, ChunkId id) {
        MapSqlParameterSource parameters = parameters(caller)
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
