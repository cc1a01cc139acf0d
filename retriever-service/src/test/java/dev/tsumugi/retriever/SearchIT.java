package dev.tsumugi.retriever;

import static dev.tsumugi.retriever.RetrieverFixture.document;
import static dev.tsumugi.retriever.RetrieverFixture.event;
import static dev.tsumugi.retriever.RetrieverFixture.newTenant;
import static dev.tsumugi.retriever.RetrieverFixture.restricted;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.tsumugi.contracts.api.SearchMode;
import dev.tsumugi.contracts.api.SearchRequest;
import dev.tsumugi.contracts.api.SearchResponse;
import dev.tsumugi.contracts.api.SearchResponse.Hit;
import dev.tsumugi.contracts.event.ChunkEmbeddings;
import dev.tsumugi.platform.web.Caller;
import dev.tsumugi.platform.web.ProblemException;
import dev.tsumugi.retriever.search.HybridSearch;
import dev.tsumugi.retriever.tenancy.TenantTransactions;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.jdbc.core.JdbcTemplate;

class SearchIT {
    private final RetrieverFixture retriever = RetrieverFixture.get();
    private final String tenant = newTenant();

    @Test
    void a_hit_tells_where_it_comes_from_and_how_near_it_is() {
        index(document(tenant, "guide/a@b#c", 3, "The first part.", "Backups run every night at two."));
        SearchResponse response =
                retriever.search(Caller.administrator(tenant), new SearchRequest("when do backups run", 1, null, null));
        assertThat(response.indexGeneration()).isEqualTo(RetrieverFixture.GENERATION);
        Hit hit = response.hits().getFirst();
        assertThat(hit.documentId()).isEqualTo("guide/a@b#c");
        assertThat(hit.chunkId()).isEqualTo("guide/a@b#c@3#1");
        assertThat(hit.version()).isEqualTo(3);
        assertThat(hit.title()).isEqualTo("Title of guide/a@b#c");
        assertThat(hit.text()).isEqualTo("Backups run every night at two.");
        assertThat(hit.start()).isEqualTo(15);
        assertThat(hit.end()).isEqualTo(46);
        assertThat(hit.similarity())
                .isCloseTo(
                        cosine(RetrieverFixture.vector("when do backups run"), RetrieverFixture.vector(hit.text())),
                        Offset.offset(1e-5));
    }

    @Test
    void a_chunk_is_found_again_by_its_id_until_its_document_changes() {
        index(document(tenant, "a/b?c%d", 1, "one", "two"));
        Hit hit = chunk("a/b%3Fc%25d%401%231");
        assertThat(hit.text()).isEqualTo("two");
        assertThat(hit.chunkId()).isEqualTo("a/b?c%d@1#1");
        index(document(tenant, "a/b?c%d", 2, "one", "two"));
        assertThatThrownBy(() -> chunk("a/b%3Fc%25d%401%231"))
                .isInstanceOfSatisfying(
                        ProblemException.class, e -> assertThat(e.kind()).isEqualTo("chunk-not-found"));
        assertThatThrownBy(() -> chunk("nonsense")).isInstanceOf(ProblemException.class);
    }

    @Test
    void english_is_found_by_stem_in_lexical_mode() {
        index(
                document(tenant, "leave", 1, "Employees request holidays in the calendar."),
                document(tenant, "food", 1, "The canteen serves lunch at noon."));
        assertThat(ids(SearchMode.LEXICAL, "requesting a holiday")).containsExactly("leave");
    }

    @Test
    void japanese_is_found_by_base_form_in_lexical_mode() {
        index(
                document(tenant, "休暇", 1, "有給休暇は、総務部に申請書を提出して取得します。"),
                document(tenant, "経費", 1, "出張の経費は月末に精算されます。"),
                document(tenant, "mixed", 1, "Kafka のブローカーを再起動する手順"));
        assertThat(ids(SearchMode.LEXICAL, "休暇を取得したい")).containsExactly("休暇");
        assertThat(ids(SearchMode.LEXICAL, "経費の精算方法")).containsExactly("経費");
        assertThat(ids(SearchMode.LEXICAL, "kafkaの再起動")).containsExactly("mixed");
    }

    @Test
    void rare_terms_weigh_more_than_frequent_ones_and_any_term_suffices() {
        index(IntStream.range(0, 20)
                .mapToObj(i -> document(tenant, "common" + i, 1, "server report number " + i))
                .toArray(ChunkEmbeddings[]::new));
        index(document(tenant, "rare", 1, "a report about the zeppelin"));
        assertThat(ids(SearchMode.LEXICAL, "server zeppelin report"))
                .startsWith("rare")
                .hasSize(10);
    }

    @Test
    void hybrid_finds_what_only_one_of_the_legs_finds() {
        index(
                document(tenant, "synonym", 1, "automobile physician"),
                document(
                        tenant,
                        "code",
                        1,
                        "error TS9042 appears when many other unrelated things were written in this long line"),
                document(tenant, "noise1", 1, "red green blue"),
                document(tenant, "noise2", 1, "north south east west"));
        String query = "car doctor ts9042";
        assertThat(ids(SearchMode.LEXICAL, query)).containsExactly("code");
        assertThat(ids(SearchMode.VECTOR, query)).startsWith("synonym");
        assertThat(ids(SearchMode.HYBRID, query)).startsWith("code", "synonym");
        List<Hit> hits = retriever.hits(tenant, query, SearchMode.HYBRID);
        assertThat(hits).extracting(Hit::score).isSortedAccordingTo((a, b) -> Double.compare(b, a));
        assertThat(retriever.hits(tenant, query + " ", SearchMode.HYBRID))
                .as("whether its vector is remembered or not")
                .isEqualTo(hits);
    }

    @Test
    void only_documents_that_carry_all_of_the_filter_are_found() {
        index(
                event(tenant, "a", 1, 0, 1, 0, List.of(), Map.of("team", "hr", "year", "2026"), "holiday rules"),
                event(tenant, "b", 1, 0, 1, 0, List.of(), Map.of("team", "hr"), "holiday rules"),
                event(tenant, "c", 1, 0, 1, 0, List.of(), Map.of("team", "it", "year", "2026"), "holiday rules"));
        for (SearchMode mode : SearchMode.values()) {
            assertThat(filtered(mode, Map.of("team", "hr", "year", "2026")))
                    .as(mode.name())
                    .containsExactly("a");
            assertThat(filtered(mode, Map.of("team", "hr"))).as(mode.name()).containsExactlyInAnyOrder("a", "b");
            assertThat(filtered(mode, Map.of("team", "x' or '1'='1")))
                    .as(mode.name())
                    .isEmpty();
        }
    }

    @Test
    void a_selective_acl_still_gets_enough_hits_out_of_the_vector_index() {
        Caller me = indexAmongMany();
        SearchResponse response = retriever.search(me, new SearchRequest("open text 7", 20, SearchMode.VECTOR, null));
        assertThat(response.hits()).hasSize(20).allMatch(hit -> hit.documentId().equals("mine"));
    }

    /** In a transaction around the search, with as little memory for a scan of the index, beside these 2,020 chunks, as 4 MB are beside 100,000. */
    @Test
    void a_selective_acl_still_gets_hits_where_the_scan_of_the_vector_index_must_remember_many_chunks() {
        Caller me = indexAmongMany();
        HybridSearch search = retriever.application.getBean(HybridSearch.class);
        JdbcTemplate jdbc = retriever.application.getBean(JdbcTemplate.class);
        SearchResponse response = retriever
                .application
                .getBean(TenantTransactions.class)
                .read(me, () -> {
                    jdbc.execute("set local work_mem = '160kB'");
                    // The few chunks of this test would otherwise be sorted.
                    jdbc.execute("set local enable_sort = off");
                    return search.search(me, "open text 7", 20, SearchMode.VECTOR, Map.of());
                });
        assertThat(response.hits()).hasSize(20).allMatch(hit -> hit.documentId().equals("mine"));
    }

    /** Twenty chunks that the caller may read, and 2,000 nearer ones that others may. */
    private Caller indexAmongMany() {
        for (int i = 0; i < 40; i++) {
            String[] texts = IntStream.range(i * 50, i * 50 + 50)
                    .mapToObj(n -> "open text " + n)
                    .toArray(String[]::new);
            index(restricted(tenant, "closed" + i, 1, List.of("others"), texts));
        }
        String[] mine =
                IntStream.range(0, 20).mapToObj(n -> "my paper about fish " + n).toArray(String[]::new);
        index(restricted(tenant, "mine", 1, List.of("me"), mine));
        return new Caller(tenant, List.of("me"), false);
    }

    @Test
    void a_caller_finds_what_is_open_or_names_one_of_their_principals() {
        index(
                document(tenant, "open", 1, "salary overview"),
                restricted(tenant, "hr", 1, List.of("hr", "board"), "salary overview"),
                restricted(tenant, "it", 1, List.of("it"), "salary overview"));
        for (SearchMode mode : SearchMode.values()) {
            assertThat(found(mode)).containsExactlyInAnyOrder("open");
            assertThat(found(mode, "hr")).containsExactlyInAnyOrder("open", "hr");
            assertThat(found(mode, "x", "board", "it")).containsExactlyInAnyOrder("open", "hr", "it");
            assertThat(found(mode, "*", "h", "h\"r", "{hr}"))
                    .as("odd principals are just names")
                    .containsExactly("open");
            assertThat(ids(mode, "salary overview")).containsExactlyInAnyOrder("open", "hr", "it");
        }
    }

    @Test
    void a_changed_acl_holds_for_unchanged_chunks_too() {
        index(document(tenant, "a", 1, "salary overview"));
        assertThat(found(SearchMode.HYBRID)).containsExactly("a");
        index(restricted(tenant, "a", 2, List.of("hr"), "salary overview"));
        for (SearchMode mode : SearchMode.values()) {
            assertThat(found(mode)).isEmpty();
            assertThat(found(mode, "hr")).containsExactly("a");
        }
    }

    @Test
    void a_chunk_is_shown_by_its_id_only_to_who_may_read_it() {
        index(restricted(tenant, "a", 1, List.of("hr"), "salary overview"));
        assertThat(chunk(new Caller(tenant, List.of("it", "hr"), false), "a@1%230")
                        .text())
                .isEqualTo("salary overview");
        assertThatThrownBy(() -> chunk(new Caller(tenant, List.of("it"), false), "a@1%230"))
                .isInstanceOf(ProblemException.class);
        assertThatThrownBy(() -> chunk(Caller.administrator(newTenant()), "a@1%230"))
                .isInstanceOf(ProblemException.class);
    }

    @Test
    void tenants_see_nothing_of_each_other() {
        String other = newTenant();
        index(document(tenant, "same-id", 1, "salary overview"), document(other, "same-id", 1, "salary elsewhere"));
        for (SearchMode mode : SearchMode.values()) {
            assertThat(retriever.hits(tenant, "salary", mode))
                    .extracting(Hit::text)
                    .containsExactly("salary overview");
            assertThat(retriever.hits(newTenant(), "salary", mode)).isEmpty();
        }
    }

    @Test
    void bad_requests_are_refused_with_what_to_do() {
        assertKind("query-empty", new SearchRequest(" ", 10, null, null));
        assertKind("query-too-long", new SearchRequest("x".repeat(9000), 10, null, null));
        assertKind("filter-invalid", new SearchRequest("x", 10, null, Map.of("team", "a\0b")));
        assertKind("limit-out-of-range", new SearchRequest("x", 0, null, null));
        assertKind("limit-out-of-range", new SearchRequest("x", 101, null, null));
    }

    @Test
    void odd_queries_are_searched_like_any_other() {
        index(document(tenant, "a", 1, "plain text"));
        for (String query : List.of("'", "\\", "a\0b", "%' or 1=1 --", "!&|:*()", "\uD83D\uDE00", "。。。", "の")) {
            assertThat(retriever.hits(tenant, query, SearchMode.HYBRID))
                    .as(query)
                    .hasSize(1);
            assertThat(retriever.hits(tenant, query, SearchMode.LEXICAL))
                    .as(query)
                    .isEmpty();
        }
    }

    private void assertKind(String kind, SearchRequest request) {
        assertThatThrownBy(() -> retriever.search(Caller.administrator(tenant), request))
                .isInstanceOfSatisfying(ProblemException.class, e -> {
                    assertThat(e.getStatusCode().value()).isEqualTo(400);
                    assertThat(e.kind()).isEqualTo(kind);
                });
    }

    private Hit chunk(String encodedId) {
        return chunk(Caller.administrator(tenant), encodedId);
    }

    private Hit chunk(Caller caller, String encodedId) {
        String base =
                "http://127.0.0.1:" + retriever.application.getEnvironment().getProperty("local.server.port");
        return retriever
                .client()
                .get()
                .uri(URI.create(base + "/internal/chunks/" + encodedId))
                .headers(caller::writeTo)
                .retrieve()
                .body(Hit.class);
    }

    private void index(ChunkEmbeddings... events) {
        for (ChunkEmbeddings event : events) {
            retriever.indexer().apply(event, Map.of());
        }
    }

    private List<String> ids(SearchMode mode, String query) {
        return retriever.hits(tenant, query, mode).stream().map(Hit::documentId).toList();
    }

    private List<String> found(SearchMode mode, String... principals) {
        Caller caller = new Caller(tenant, List.of(principals), false);
        return retriever.search(caller, new SearchRequest("salary overview", 10, mode, null)).hits().stream()
                .map(Hit::documentId)
                .toList();
    }

    private List<String> filtered(SearchMode mode, Map<String, String> filter) {
        return retriever
                .search(Caller.administrator(tenant), new SearchRequest("holiday rules", 10, mode, filter))
                .hits()
                .stream()
                .map(Hit::documentId)
                .toList();
    }

    private static double cosine(float[] a, float[] b) {
        double sum = 0;
        for (int d = 0; d < a.length; d++) {
            sum += (double) a[d] * b[d];
        }
        return sum;
    }

    @Test
    void a_search_by_words_alone_does_without_a_vector() {
        retriever.indexer().apply(document(tenant, "a", 1, "the backup runs at night"), Map.of());
        SearchResponse lexical = searchAll("backup", SearchMode.LEXICAL);
        assertThat(lexical.hits()).extracting(Hit::similarity).containsExactly(0.0);
        assertThat(lexical.indexGeneration()).isEmpty();
        assertThat(lexical.degraded()).isNull();
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 503, 500})
    void without_embed_service_words_are_searched_and_hybrid_says_so(int failure) {
        retriever.indexer().apply(document(tenant, "a", 1, "the backup runs at night"), Map.of());
        String query = "backup " + failure;
        retriever.embedFailure.set(failure);
        try {
            SearchResponse hybrid = searchAll(query, SearchMode.HYBRID);
            assertThat(hybrid.hits()).hasSize(1);
            assertThat(hybrid.hits().getFirst().similarity()).isZero();
            assertThat(hybrid.indexGeneration()).isEmpty();
            assertThat(hybrid.degraded()).startsWith("Vector search is unavailable");
            SearchResponse lexical = searchAll(query, SearchMode.LEXICAL);
            assertThat(lexical.hits()).hasSize(1);
            assertThat(lexical.degraded()).isNull();
            assertThatThrownBy(() -> searchAll(query, SearchMode.VECTOR))
                    .isInstanceOfSatisfying(ProblemException.class, problem -> {
                        assertThat(problem.getStatusCode().value()).isEqualTo(503);
                        assertThat(problem.kind()).isEqualTo("vector-search-unavailable");
                    });
        } finally {
            retriever.embedFailure.set(0);
        }
        await().atMost(Duration.ofSeconds(20)).untilAsserted(() -> {
            SearchResponse again = searchAll(query, SearchMode.HYBRID);
            assertThat(again.degraded()).isNull();
            assertThat(again.hits().getFirst().similarity()).isPositive();
        });
    }

    private SearchResponse searchAll(String query, SearchMode mode) {
        return retriever.search(Caller.administrator(tenant), new SearchRequest(query, 10, mode, null));
    }

    @Test
    void a_chunk_of_a_document_whose_id_has_a_slash_is_found_by_its_encoded_id() {
        retriever.indexer().apply(document(tenant, "hr/rules.pdf", 1, "the backup runs at night"), Map.of());
        for (String path : List.of("hr%2Frules.pdf%401%230", "hr/rules.pdf@1%230")) {
            SearchResponse.Hit hit = retriever
                    .client()
                    .get()
                    .uri(URI.create("/internal/chunks/" + path))
                    .headers(Caller.administrator(tenant)::writeTo)
                    .retrieve()
                    .body(SearchResponse.Hit.class);
            assertThat(hit.documentId()).isEqualTo("hr/rules.pdf");
        }
    }
}
