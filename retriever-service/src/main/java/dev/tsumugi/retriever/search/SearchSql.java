package dev.tsumugi.retriever.search;

import dev.tsumugi.contracts.api.SearchMode;
import java.util.Map;

/**
 * The statements of a search. They are put together from the fixed pieces below; everything that a caller gives is bound by name.
 *
 * <ul>
 *   <li>{@code near}: nearest chunks by cosine distance, in index order
 *   <li>{@code matching}: best chunks by BM25, any of the terms; document frequencies count what the caller may read
 *   <li>hybrid: reciprocal rank fusion of both (Cormack, Clarke, Buettcher 2009), score = sum of 1 / (60 + rank)
 * </ul>
 */
final class SearchSql {
    private static final String QUERY = "with query as materialized (select cast(:vector as vector) as v)";

    private static final String NEAR = """
            , near as (
                select id, distance, row_number() over (order by distance, id) as rank
                from (select c.id, c.embedding <=> (select v from query) as distance
                      from retriever.chunks c %s
                      where c.tenant = :tenant and c.generation = :generation
                        and (c.acl is null or :readsAll or c.acl && cast(:principals as text[])) %s
                      order by distance
                      limit :candidates) nearest
            )""";

    /**
     * BM25 with k1 = 1.2 and b = 0.75: the weight of a term is its idf, that of an occurrence f (k1 + 1) / (f + k1 (1 - b + b len/avg)). What is
     * open to everyone comes from an index that has all of it.
     */
    private static final String MATCHING = """
            , occurrence as materialized (
                select term, chunk_id, frequency, chunk_length
                from retriever.postings
                where tenant = :tenant and term = any (cast(:terms as text[])) and acl is null
                union all
                select term, chunk_id, frequency, chunk_length
                from retriever.postings
                where tenant = :tenant and term = any (cast(:terms as text[]))
                  and acl is not null and (:readsAll or acl && cast(:principals as text[]))
            ), corpus as (
                select cast(greatest(chunks, 1) as float8) as chunks,
                       cast(greatest(terms, 1) as float8) / greatest(chunks, 1) as average_length
                from retriever.tenant_statistics where tenant = :tenant
            ), weighted as (
                select o.term, cast(0.9 as float8) / c.average_length as length_norm,
                       ln(1 + greatest(c.chunks - count(*) + cast(0.5 as float8), 0.5) / (count(*) + cast(0.5 as float8)))
                           * cast(2.2 as float8) as idf
                from occurrence o cross join corpus c
                group by o.term, c.chunks, c.average_length
            ), scored as (
                select o.chunk_id as id,
                       sum(w.idf * o.frequency / (o.frequency + cast(0.3 as float8) + w.length_norm * o.chunk_length)) as score
                from occurrence o join weighted w on w.term = o.term
                group by o.chunk_id
            ), matching as (
                select id, score, row_number() over (order by score desc, id) as rank
                from (select s.id, s.score from scored s %s order by s.score desc, s.id limit :candidates) best_matching
            )""";

    /** What {@link #candidates} found, best first. */
    private static final String MATCHED = """
            , matching as (
                select m.id, m.rank from unnest(cast(:matched as bigint[])) with ordinality as m (id, rank)
            )""";

    private static final String CANDIDATES = """

            select id from matching order by rank
            """;

    private static final String FUSED = """
            , best as (
                select id, coalesce(1.0 / (60 + near.rank), 0) + coalesce(1.0 / (60 + matching.rank), 0) as score
                from near full join matching using (id)
                order by score desc, id limit :limit
            )""";

    private static final String BEST_NEAR = """
            , best as (select id, 1 - distance as score from near order by rank limit :limit)""";

    private static final String BEST_MATCHING = """
            , best as (select id, score from matching order by rank limit :limit)""";

    private static final String HITS = """

            select c.document_id, d.version, c.position, d.title, c.heading, c.text, best.score,
                   case when c.generation = :generation then 1 - (c.embedding <=> (select v from query)) else 0 end as similarity,
                   c.start_offset, c.end_offset
            from best
            join retriever.chunks c on c.id = best.id
            join retriever.documents d on d.tenant = c.tenant and d.document_id = c.document_id
            where c.tenant = :tenant and (c.acl is null or :readsAll or c.acl && cast(:principals as text[]))
            order by best.score desc, best.id
            """;

    private static final String DOCUMENT =
            "join retriever.documents f on f.tenant = c.tenant and f.document_id = c.document_id";
    private static final String CHUNK_AND_DOCUMENT = "join retriever.chunks c on c.id = s.id " + DOCUMENT;
    private static final String CARRIES = "and f.metadata @> cast(:filter as jsonb)";

    private static final Statements PLAIN = statements("", "", "");
    private static final Statements FILTERED =
            statements(DOCUMENT, CARRIES, CHUNK_AND_DOCUMENT + " where true " + CARRIES);

    private record Statements(Map<SearchMode, String> hits, String candidates, String fused) {}

    private SearchSql() {}

    /** Best hits in one round trip, whatever the mode. */
    static String hits(SearchMode mode, boolean filtered) {
        String sql = (filtered ? FILTERED : PLAIN).hits().get(mode);
        if (sql == null) {
            throw new IllegalArgumentException("no statement for " + mode);
        }
        return sql;
    }

    /** Ids of {@code matching}, best first, for {@link #fused}. */
    static String candidates(boolean filtered) {
        return (filtered ? FILTERED : PLAIN).candidates();
    }

    /** Best hits in mode hybrid, where {@code matching} was found before. */
    static String fused(boolean filtered) {
        return (filtered ? FILTERED : PLAIN).fused();
    }

    private static Statements statements(String nearJoin, String nearFilter, String matchingFilter) {
        String near = NEAR.formatted(nearJoin, nearFilter);
        String matching = MATCHING.formatted(matchingFilter);
        return new Statements(
                Map.of(
                        SearchMode.HYBRID, QUERY + near + matching + FUSED + HITS,
                        SearchMode.VECTOR, QUERY + near + BEST_NEAR + HITS,
                        SearchMode.LEXICAL, QUERY + matching + BEST_MATCHING + HITS),
                QUERY + matching + CANDIDATES,
                QUERY + near + MATCHED + FUSED + HITS);
    }
}
