package dev.tsumugi.retriever.search;

import dev.tsumugi.contracts.api.SearchMode;
import java.util.Map;

/**
 * The statements of a search. They are put together from the fixed pieces below; everything that a caller gives is bound by name.
 *
 * <ul>
 *   <li>{@code near}: nearest chunks by cosine distance, in index order
 *   <li>{@code matching}: best chunks by {@link Bm25} of {@link #POSTINGS}; document frequencies count what the caller may read
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

    /** What {@link Bm25} found, best first. */
    private static final String MATCHING = """
            , matching as (
                select m.id, m.score, m.rank
                from unnest(cast(:matches as bigint[]), cast(:scores as float8[])) with ordinality as m (id, score, rank)
            )""";

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
    private static final String CARRIES = "and f.metadata @> cast(:filter as jsonb)";

    /**
     * For each term, in {@link Bm25}'s form, the postings of chunks that are open to everyone, from an index that has all of it, and of those
     * that others may not read. Beside them the number of the tenant's chunks and of the terms in them.
     */
    static final String POSTINGS = """
            select s.chunks, s.terms, open.postings, restricted.postings
            from retriever.tenant_statistics s
            cross join unnest(cast(:terms as text[])) as t (term)
            cross join lateral (
                select string_agg(int8send(chunk_id) || int4send(frequency) || int4send(chunk_length), '') as postings
                from retriever.postings
                where tenant = :tenant and term = t.term and acl is null) open
            cross join lateral (
                select string_agg(int8send(chunk_id) || int4send(frequency) || int4send(chunk_length), '') as postings
                from retriever.postings
                where tenant = :tenant and term = t.term and acl is not null and (:readsAll or acl && cast(:principals as text[]))
            ) restricted
            where s.tenant = :tenant
            """;

    /** Which of the chunks {@code :ids} are of documents that carry the filter. */
    static final String CARRYING = "select c.id from retriever.chunks c " + DOCUMENT
            + " where c.tenant = :tenant and c.id = any (cast(:ids as bigint[])) " + CARRIES;

    /** How many of some chunks are there for the caller. */
    static final String VISIBLE = "select count(*) from retriever.chunks where id = any (cast(:ids as bigint[]))";

    private static final Map<SearchMode, String> PLAIN = statements("", "");
    private static final Map<SearchMode, String> FILTERED = statements(DOCUMENT, CARRIES);

    private SearchSql() {}

    /** Best hits. */
    static String hits(SearchMode mode, boolean filtered) {
        String sql = (filtered ? FILTERED : PLAIN).get(mode);
        if (sql == null) {
            throw new IllegalArgumentException("no statement for " + mode);
        }
        return sql;
    }

    private static Map<SearchMode, String> statements(String join, String filter) {
        String near = NEAR.formatted(join, filter);
        return Map.of(
                SearchMode.HYBRID, QUERY + near + MATCHING + FUSED + HITS,
                SearchMode.VECTOR, QUERY + near + BEST_NEAR + HITS,
                SearchMode.LEXICAL, QUERY + MATCHING + BEST_MATCHING + HITS);
    }
}
