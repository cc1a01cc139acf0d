package dev.tsumugi.retriever;

import static dev.tsumugi.retriever.RetrieverFixture.event;
import static dev.tsumugi.retriever.RetrieverFixture.newTenant;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tsumugi.contracts.api.SearchMode;
import dev.tsumugi.contracts.api.SearchRequest;
import dev.tsumugi.contracts.api.SearchResponse.Hit;
import dev.tsumugi.platform.web.Caller;
import dev.tsumugi.retriever.tenancy.TenantTransactions;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.springframework.jdbc.core.JdbcTemplate;

/** Searches by words beside the same score written as one plain statement. */
class WordSearchIT {
    /** BM25 over everything that the caller may read, which row-level security alone decides here; the filter comes last. */
    private static final String PLAIN = """
            with occurrence as (
                select * from retriever.postings where term = any (cast(? as text[]))
            ), weighted as (
                select o.term, ln(1 + greatest(s.chunks - count(*) + 0.5, 0.5) / (count(*) + 0.5)) as idf,
                       cast(s.terms as float8) / s.chunks as average
                from occurrence o cross join retriever.tenant_statistics s
                group by o.term, s.chunks, s.terms
            )
            select d.document_id || '#' || c.position as chunk,
                   sum(w.idf * o.frequency * 2.2 / (o.frequency + 1.2 * (1 - 0.75 + 0.75 * o.chunk_length / w.average))) as score
            from occurrence o
            join weighted w on w.term = o.term
            join retriever.chunks c on c.id = o.chunk_id
            join retriever.documents d on d.tenant = c.tenant and d.document_id = c.document_id
            where d.metadata @> cast(? as jsonb)
            group by d.document_id, c.position
            order by score desc
            """;

    private static final int WORDS = 60;
    private static final List<String> PRINCIPALS = List.of("hr", "it", "board");

    private final RetrieverFixture retriever = RetrieverFixture.get();
    private final TenantTransactions transactions = retriever.application.getBean(TenantTransactions.class);
    private final JdbcTemplate jdbc = retriever.application.getBean(JdbcTemplate.class);
    private final String tenant = newTenant();
    private final Random random = new Random(17);

    @Test
    void whoever_asks_and_filters_gets_the_chunks_and_scores_of_the_plain_statement() {
        for (int i = 0; i < 60; i++) {
            String[] texts = IntStream.range(0, 8)
                    .mapToObj(unused -> words(3 + random.nextInt(20)))
                    .toArray(String[]::new);
            Map<String, String> metadata = Map.of("team", i % 20 == 0 ? "small" : "large");
            retriever.indexer().apply(event(tenant, "doc" + i, 1, 0, 1, 0, principals(2), metadata, texts), Map.of());
        }
        int found = 0;
        for (int i = 0; i < 60; i++) {
            Caller caller = new Caller(tenant, principals(3), random.nextInt(4) == 0);
            Map<String, String> filter = switch (i % 3) {
                case 0 -> Map.of();
                case 1 -> Map.of("team", "large");
                default -> Map.of("team", "small");
            };
            found += compare(caller, words(1 + random.nextInt(5)), 1 + random.nextInt(100), filter);
        }
        assertThat(found).isGreaterThan(1_000);
    }

    private int compare(Caller caller, String query, int limit, Map<String, String> filter) {
        List<Hit> hits = retriever
                .search(caller, new SearchRequest(query, limit, SearchMode.LEXICAL, filter))
                .hits();
        Map<String, Double> scores = plain(caller, query, filter);
        List<Double> best = scores.values().stream()
                .sorted((a, b) -> Double.compare(b, a))
                .limit(limit)
                .toList();
        assertThat(hits).as(query).hasSize(best.size());
        for (int i = 0; i < best.size(); i++) {
            Hit hit = hits.get(i);
            Offset<Double> rounding = Offset.offset(1e-9);
            assertThat(hit.score()).as(query).isCloseTo(best.get(i), rounding);
            String position = hit.chunkId().substring(hit.chunkId().lastIndexOf('#'));
            assertThat(scores.get(hit.documentId() + position)).as(query).isCloseTo(hit.score(), rounding);
        }
        return best.size();
    }

    private Map<String, Double> plain(Caller caller, String query, Map<String, String> filter) {
        String json = filter.entrySet().stream()
                .map(entry -> "\"" + entry.getKey() + "\":\"" + entry.getValue() + "\"")
                .collect(Collectors.joining(",", "{", "}"));
        return transactions.read(
                caller,
                () -> jdbc
                        .query(
                                PLAIN,
                                (row, number) -> Map.entry(row.getString(1), row.getDouble(2)),
                                query.split(" "),
                                json)
                        .stream()
                        .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue)));
    }

    /** Some words stand almost everywhere, most seldom. */
    private String words(int count) {
        return IntStream.range(0, count)
                .mapToObj(unused -> "w" + (int) (WORDS * Math.pow(random.nextDouble(), 3)))
                .collect(Collectors.joining(" "));
    }

    /** At most {@code count}; for a document none of them means everyone. */
    private List<String> principals(int count) {
        return random.nextBoolean()
                ? List.of()
                : random.ints(count, 0, PRINCIPALS.size())
                        .distinct()
                        .mapToObj(PRINCIPALS::get)
                        .toList();
    }
}
