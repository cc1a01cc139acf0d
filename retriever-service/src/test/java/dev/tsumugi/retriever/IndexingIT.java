package dev.tsumugi.retriever;

import static dev.tsumugi.retriever.RetrieverFixture.cut;
import static dev.tsumugi.retriever.RetrieverFixture.deletion;
import static dev.tsumugi.retriever.RetrieverFixture.document;
import static dev.tsumugi.retriever.RetrieverFixture.newTenant;
import static dev.tsumugi.retriever.RetrieverFixture.part;
import static dev.tsumugi.retriever.RetrieverFixture.sha256;
import static dev.tsumugi.retriever.RetrieverFixture.vector;
import static dev.tsumugi.retriever.RetrieverFixture.withoutVectors;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tsumugi.contracts.api.SearchMode;
import dev.tsumugi.contracts.api.SearchRequest;
import dev.tsumugi.contracts.api.SearchResponse.Hit;
import dev.tsumugi.contracts.event.ChunkEmbeddings;
import dev.tsumugi.platform.kafka.InvalidEventException;
import dev.tsumugi.platform.web.Caller;
import dev.tsumugi.retriever.index.Outcome;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class IndexingIT {
    private final RetrieverFixture retriever = RetrieverFixture.get();
    private final String tenant = newTenant();

    @Test
    void a_version_becomes_visible_with_its_last_part_and_not_before() {
        assertThat(apply(part(tenant, "a", 1, 0, 3, 0, "alpha one", "alpha two")))
                .isInstanceOf(Outcome.Staged.class);
        assertThat(apply(part(tenant, "a", 1, 2, 3, 3, "alpha four"))).isInstanceOf(Outcome.Staged.class);
        assertThat(visible()).isEmpty();
        assertThat(apply(part(tenant, "a", 1, 1, 3, 2, "alpha three"))).isEqualTo(new Outcome.Indexed(4));
        assertThat(visible()).containsExactlyInAnyOrder("alpha one", "alpha two", "alpha three", "alpha four");
    }

    @Test
    void the_old_version_stays_until_the_new_one_is_complete() throws Exception {
        apply(document(tenant, "a", 1, "alpha old"));
        apply(part(tenant, "a", 2, 0, 2, 0, "alpha new one"));
        assertThat(visible()).containsExactly("alpha old");
        apply(part(tenant, "a", 2, 1, 2, 1, "alpha new two"));
        assertThat(visible()).containsExactlyInAnyOrder("alpha new one", "alpha new two");
        assertThat(count("staged_parts")).isZero();
    }

    @Test
    void a_concurrent_reader_sees_one_version_whole_and_never_none() throws Exception {
        apply(document(tenant, "a", 1, texts(1)));
        AtomicBoolean done = new AtomicBoolean();
        List<Set<String>> seen = new ArrayList<>();
        try (ExecutorService pool = Executors.newSingleThreadExecutor()) {
            Future<?> reader = pool.submit((Callable<Void>) () -> {
                while (!done.get()) {
                    List<Hit> hits = switch (seen.size() % 3) {
                        case 0 -> retriever.hits(tenant, "alpha", SearchMode.HYBRID);
                        case 1 -> retriever.hits(tenant, "alpha", SearchMode.LEXICAL);
                        // A question whose vector is not remembered.
                        default -> retriever.hits(tenant, "alpha fresh" + seen.size(), SearchMode.HYBRID);
                    };
                    Set<String> versions = new TreeSet<>();
                    hits.forEach(
                            hit -> versions.add(hit.version() + " " + hit.text().split(" ")[1]));
                    versions.add("hits=" + hits.size());
                    seen.add(versions);
                }
                return null;
            });
            for (int version = 2; version <= 25; version++) {
                apply(document(tenant, "a", version, texts(version)));
            }
            done.set(true);
            reader.get();
        }
        assertThat(seen).hasSizeGreaterThan(6).allSatisfy(versions -> {
            assertThat(versions).hasSize(2).contains("hits=6");
            String[] version = versions.iterator().next().split(" ");
            assertThat("v" + version[0]).as("the row's version and its text").isEqualTo(version[1]);
        });
    }

    /** The words of a question are searched before its vector is there: what they found may be replaced until then. */
    @Test
    void a_document_that_is_replaced_during_a_search_is_found_beside_others() throws Exception {
        apply(document(
                tenant,
                "b",
                1,
                IntStream.range(0, 60).mapToObj(i -> "beta " + i).toArray(String[]::new)));
        apply(document(tenant, "a", 1, texts(1)));
        AtomicBoolean done = new AtomicBoolean();
        List<Long> found = new ArrayList<>();
        try (ExecutorService pool = Executors.newSingleThreadExecutor()) {
            Future<?> reader = pool.submit((Callable<Void>) () -> {
                while (!done.get()) {
                    SearchRequest request =
                            new SearchRequest("alpha fresh" + found.size(), 20, SearchMode.HYBRID, null);
                    found.add(retriever.search(Caller.administrator(tenant), request).hits().stream()
                            .filter(hit -> hit.documentId().equals("a"))
                            .count());
                }
                return null;
            });
            for (int version = 2; version <= 25; version++) {
                apply(document(tenant, "a", version, texts(version)));
            }
            done.set(true);
            reader.get();
        }
        assertThat(found).hasSizeGreaterThan(6).containsOnly(6L);
    }

    @Test
    void a_lower_version_than_the_visible_one_changes_nothing() {
        apply(document(tenant, "a", 5, "alpha five"));
        assertThat(apply(document(tenant, "a", 4, "alpha four"))).isInstanceOf(Outcome.Superseded.class);
        assertThat(apply(deletion(tenant, "a", 3))).isInstanceOf(Outcome.Superseded.class);
        assertThat(visible()).containsExactly("alpha five");
    }

    @Test
    void the_same_event_again_changes_nothing_and_tells_the_same() throws Exception {
        ChunkEmbeddings event = document(tenant, "a", 1, "alpha one", "alpha two");
        assertThat(apply(event)).isEqualTo(new Outcome.Indexed(2));
        String before = fingerprint();
        assertThat(apply(event)).isEqualTo(new Outcome.Indexed(2));
        assertThat(fingerprint()).isEqualTo(before);

        ChunkEmbeddings first = part(tenant, "b", 1, 0, 2, 0, "alpha three");
        ChunkEmbeddings second = part(tenant, "b", 1, 1, 2, 1, "alpha four");
        assertThat(apply(first)).isInstanceOf(Outcome.Staged.class);
        assertThat(apply(first)).isInstanceOf(Outcome.Staged.class);
        assertThat(apply(second)).isEqualTo(new Outcome.Indexed(2));
        assertThat(apply(first)).isEqualTo(new Outcome.Indexed(2));
        assertThat(apply(second)).isEqualTo(new Outcome.Indexed(2));
        assertThat(count("staged_parts")).isZero();
        assertThat(visible()).hasSize(4);
    }

    @Test
    void a_deletion_leaves_a_tombstone_and_nothing_else() throws Exception {
        apply(document(tenant, "a", 1, "alpha one", "alpha two"));
        apply(part(tenant, "a", 2, 0, 2, 0, "alpha staged"));
        assertThat(apply(deletion(tenant, "a", 3))).isInstanceOf(Outcome.Deleted.class);
        assertThat(visible()).isEmpty();
        for (String table : List.of("chunks", "postings", "staged_parts")) {
            assertThat(count(table)).as(table).isZero();
        }
        assertThat(statistics()).isEqualTo("0/0");
        assertThat(apply(deletion(tenant, "a", 3))).isInstanceOf(Outcome.Deleted.class);
        assertThat(apply(part(tenant, "a", 2, 1, 2, 1, "alpha late"))).isInstanceOf(Outcome.Superseded.class);
        assertThat(apply(document(tenant, "a", 4, "alpha back"))).isEqualTo(new Outcome.Indexed(1));
        assertThat(visible()).containsExactly("alpha back");
    }

    @Test
    void parts_of_two_cuts_of_a_version_do_not_mix() throws Exception {
        apply(cut("long", part(tenant, "a", 1, 0, 3, 0, "alpha long one")));
        apply(cut("long", part(tenant, "a", 1, 1, 3, 1, "alpha long two")));
        assertThat(apply(cut("short", part(tenant, "a", 1, 0, 3, 0, "alpha short one"))))
                .isInstanceOf(Outcome.Staged.class);
        assertThat(apply(cut("short", part(tenant, "a", 1, 2, 3, 2, "alpha short three"))))
                .isInstanceOf(Outcome.Staged.class);
        assertThat(visible()).isEmpty();
        assertThat(apply(cut("short", part(tenant, "a", 1, 1, 3, 1, "alpha short two"))))
                .isEqualTo(new Outcome.Indexed(3));
        assertThat(visible()).containsExactlyInAnyOrder("alpha short one", "alpha short two", "alpha short three");
        assertThat(count("staged_parts")).isZero();
    }

    @Test
    void a_document_that_was_never_seen_can_be_deleted() {
        assertThat(apply(deletion(tenant, "ghost", 2))).isInstanceOf(Outcome.Deleted.class);
        assertThat(apply(document(tenant, "ghost", 1, "alpha"))).isInstanceOf(Outcome.Superseded.class);
        assertThat(visible()).isEmpty();
    }

    @Test
    void a_document_without_text_is_indexed_without_chunks() {
        apply(document(tenant, "a", 1, "alpha"));
        assertThat(apply(document(tenant, "a", 2))).isEqualTo(new Outcome.Indexed(0));
        assertThat(visible()).isEmpty();
    }

    @Test
    void unchanged_chunks_keep_their_rows_when_they_move() throws Exception {
        apply(document(tenant, "a", 1, "alpha one", "alpha two", "alpha three"));
        Set<Long> before = chunkIds();
        apply(withoutVectors(document(tenant, "a", 2, "alpha three", "alpha one", "alpha two")));
        assertThat(chunkIds()).isEqualTo(before);
        assertThat(retriever
                        .hits(tenant, "alpha three", SearchMode.VECTOR)
                        .getFirst()
                        .chunkId())
                .isEqualTo("a@2#0");
        assertThat(retriever
                        .hits(tenant, "alpha three", SearchMode.VECTOR)
                        .getFirst()
                        .start())
                .isZero();
    }

    @Test
    void known_chunks_come_without_vectors_and_only_new_ones_are_added() throws Exception {
        apply(document(tenant, "a", 1, "alpha one", "alpha two"));
        String generation = RetrieverFixture.GENERATION;
        List<String> hashes = List.of(sha256("alpha two"), sha256("alpha three"));
        assertThat(retriever.indexer().knownHashes(tenant, "a", generation, hashes))
                .containsExactly(sha256("alpha two"));
        assertThat(retriever.indexer().knownHashes(tenant, "a", "other", hashes))
                .isEmpty();
        assertThat(retriever.indexer().knownHashes(tenant, "b", generation, hashes))
                .isEmpty();
        assertThat(retriever.indexer().knownHashes(newTenant(), "a", generation, hashes))
                .isEmpty();
        ChunkEmbeddings event = document(tenant, "a", 2, "alpha two", "alpha two", "alpha three");
        List<byte[]> vectors = new ArrayList<>(event.vectors());
        vectors.set(0, null);
        vectors.set(1, null);
        assertThat(apply(new ChunkEmbeddings(1, event.chunks(), generation, vectors)))
                .isEqualTo(new Outcome.Indexed(3));
        assertThat(visible()).containsExactlyInAnyOrder("alpha two", "alpha two", "alpha three");
        assertThat(retriever.hits(tenant, "alpha two", SearchMode.VECTOR))
                .extracting(hit -> Math.round(hit.similarity() * 1000))
                .startsWith(1000L, 1000L);
    }

    @Test
    void a_vector_that_is_gone_is_asked_for_and_nothing_changes_until_it_is_given() throws Exception {
        apply(document(tenant, "a", 1, "alpha one"));
        String before = fingerprint();
        ChunkEmbeddings event = withoutVectors(document(tenant, "a", 2, "alpha one", "alpha gone"));
        assertThat(apply(event)).isEqualTo(new Outcome.NeedsVectors(Map.of(sha256("alpha gone"), "alpha gone")));
        assertThat(fingerprint()).isEqualTo(before);
        assertThat(retriever.indexer().apply(event, Map.of(sha256("alpha gone"), vector("alpha gone"))))
                .isEqualTo(new Outcome.Indexed(2));
        assertThat(visible()).containsExactlyInAnyOrder("alpha one", "alpha gone");
    }

    @Test
    void another_embedding_model_replaces_the_vectors_of_the_same_version() throws Exception {
        apply(document(tenant, "a", 1, "alpha one"));
        Set<Long> before = chunkIds();
        ChunkEmbeddings event = document(tenant, "a", 1, "alpha one");
        apply(new ChunkEmbeddings(1, event.chunks(), "words-2", event.vectors()));
        assertThat(chunkIds()).hasSize(1).doesNotContainAnyElementsOf(before);
        assertThat(retriever.hits(tenant, "alpha", SearchMode.VECTOR))
                .as("no comparison across models")
                .isEmpty();
        assertThat(retriever.hits(tenant, "alpha", SearchMode.HYBRID))
                .extracting(Hit::similarity)
                .containsExactly(0.0);
    }

    @Test
    void statistics_follow_every_change() throws Exception {
        apply(document(tenant, "a", 1, "alpha beta", "gamma"));
        apply(document(tenant, "b", 1, "delta"));
        assertThat(statistics()).isEqualTo("3/4");
        apply(document(tenant, "a", 2, "alpha beta"));
        assertThat(statistics()).isEqualTo("2/3");
        apply(document(tenant, "a", 3, "one two three", "alpha beta"));
        assertThat(statistics()).isEqualTo("3/6");
        assertThat(count("postings")).isEqualTo(6);
    }

    @Test
    void characters_that_postgresql_cannot_store_are_replaced_at_equal_length() {
        apply(document(tenant, "a", 1, "alpha\0beta \uD83D end"));
        assertThat(visible()).containsExactly("alpha\uFFFDbeta ? end");
    }

    @Test
    void an_event_that_contradicts_itself_is_refused() {
        ChunkEmbeddings good = document(tenant, "a", 1, "alpha");
        ChunkEmbeddings shortVector = new ChunkEmbeddings(1, good.chunks(), "words-1", List.of(new byte[12]));
        assertThatThrownBy(() -> apply(shortVector))
                .isInstanceOf(InvalidEventException.class)
                .hasMessageContaining("1536 bytes");
        ChunkEmbeddings zero = new ChunkEmbeddings(1, good.chunks(), "words-1", List.of(new byte[1536]));
        assertThatThrownBy(() -> apply(zero))
                .isInstanceOf(InvalidEventException.class)
                .hasMessageContaining("zero");
        apply(part(tenant, "b", 1, 0, 2, 0, "alpha one"));
        assertThatThrownBy(() -> apply(part(tenant, "b", 1, 1, 2, 0, "alpha two")))
                .isInstanceOf(InvalidEventException.class)
                .hasMessageContaining("index 0");
    }

    @Test
    void replicas_that_apply_the_same_events_at_once_agree() throws Exception {
        try (ExecutorService pool = Executors.newFixedThreadPool(4)) {
            List<Callable<Outcome>> calls = new ArrayList<>();
            for (int replica = 0; replica < 4; replica++) {
                for (int version = 1; version <= 5; version++) {
                    ChunkEmbeddings event = document(tenant, "a", version, "alpha same", "alpha " + version);
                    calls.add(() -> apply(event));
                }
            }
            for (Future<Outcome> outcome : pool.invokeAll(calls)) {
                outcome.get();
            }
        }
        assertThat(visible()).containsExactlyInAnyOrder("alpha same", "alpha 5");
        assertThat(statistics()).isEqualTo("2/4");
    }

    private Outcome apply(ChunkEmbeddings event) {
        return retriever.indexer().apply(event, Map.of());
    }

    private List<String> visible() {
        return retriever.hits(tenant, "alpha", SearchMode.HYBRID).stream()
                .map(Hit::text)
                .toList();
    }

    private static String[] texts(int version) {
        return IntStream.range(0, 6)
                .mapToObj(i -> "alpha v" + version + " part " + i)
                .toArray(String[]::new);
    }

    private long count(String table) throws Exception {
        return Long.parseLong(query("select count(*) from retriever." + table));
    }

    private String statistics() throws Exception {
        return query("select chunks || '/' || terms from retriever.tenant_statistics");
    }

    /** Changes with every row version that was written. */
    private String fingerprint() throws Exception {
        return query("select string_agg(c.ctid::text || c.xmin || d.xmin, ',' order by c.id) from retriever.chunks c"
                + " join retriever.documents d using (tenant, document_id)");
    }

    private Set<Long> chunkIds() throws Exception {
        Set<Long> ids = new TreeSet<>();
        for (String id :
                query("select string_agg(id::text, ',') from retriever.chunks").split(",")) {
            ids.add(Long.valueOf(id));
        }
        return ids;
    }

    private String query(String sql) throws Exception {
        try (Connection connection = retriever.connect()) {
            connection.setAutoCommit(false);
            try (PreparedStatement settings = connection.prepareStatement(
                    "select set_config('tsumugi.tenant', ?, true), set_config('tsumugi.reads_all', 'true', true)")) {
                settings.setString(1, tenant);
                settings.execute();
            }
            try (PreparedStatement statement = connection.prepareStatement(sql);
                    ResultSet row = statement.executeQuery()) {
                return row.next() ? String.valueOf(row.getString(1)) : "";
            }
        }
    }
}
