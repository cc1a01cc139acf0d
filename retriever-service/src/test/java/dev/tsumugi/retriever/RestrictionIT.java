package dev.tsumugi.retriever;

import static dev.tsumugi.retriever.RetrieverFixture.deletion;
import static dev.tsumugi.retriever.RetrieverFixture.document;
import static dev.tsumugi.retriever.RetrieverFixture.newTenant;
import static dev.tsumugi.retriever.RetrieverFixture.restricted;
import static dev.tsumugi.retriever.RetrieverFixture.restriction;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tsumugi.contracts.api.SearchMode;
import dev.tsumugi.contracts.api.SearchRequest;
import dev.tsumugi.contracts.api.SearchResponse.Hit;
import dev.tsumugi.contracts.event.ChunkEmbeddings;
import dev.tsumugi.platform.web.Caller;
import dev.tsumugi.retriever.index.Outcome;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** A version that fewer may read takes the document from the others before it is visible itself, and though it may never be. */
class RestrictionIT {
    private final RetrieverFixture retriever = RetrieverFixture.get();
    private final String tenant = newTenant();

    @Test
    void whom_a_coming_version_does_not_name_cannot_read_the_old_one_any_more() {
        apply(restricted(tenant, "a", 1, List.of("hr", "sales"), "alpha one"));

        assertThat(apply(restriction(tenant, "a", 2, "hr"))).isInstanceOf(Outcome.Restricted.class);

        assertThat(readBy("hr")).containsExactly("alpha one");
        assertThat(readBy("sales")).isEmpty();
        assertThat(apply(restricted(tenant, "a", 2, List.of("hr"), "alpha two")))
                .isEqualTo(new Outcome.Indexed(1));
        assertThat(readBy("hr")).containsExactly("alpha two");
        assertThat(readBy("sales")).isEmpty();
    }

    @Test
    void a_document_that_everyone_could_read_can_be_closed() {
        apply(document(tenant, "a", 1, "alpha one"));
        apply(restriction(tenant, "a", 2, "hr"));
        assertThat(readBy("hr")).containsExactly("alpha one");
        assertThat(readBy("sales")).isEmpty();
    }

    @Test
    void whom_a_coming_version_adds_does_not_get_to_read_the_old_one() {
        apply(restricted(tenant, "a", 1, List.of("hr"), "alpha one"));
        apply(restriction(tenant, "a", 2, "sales"));
        assertThat(readBy("hr")).isEmpty();
        assertThat(readBy("sales")).isEmpty();
        assertThat(retriever.hits(tenant, "alpha", SearchMode.HYBRID))
                .as("administrators")
                .hasSize(1);
        apply(restricted(tenant, "a", 2, List.of("sales"), "alpha two"));
        assertThat(readBy("sales")).containsExactly("alpha two");
    }

    @Test
    void a_later_version_with_the_old_content_and_readers_opens_it_again() {
        apply(restricted(tenant, "a", 1, List.of("hr", "sales"), "alpha one"));
        apply(restriction(tenant, "a", 2, "hr"));
        apply(restricted(tenant, "a", 3, List.of("hr", "sales"), "alpha one"));
        assertThat(readBy("sales")).containsExactly("alpha one");
    }

    @Test
    void a_replayed_version_of_before_does_not_undo_it() {
        apply(restriction(tenant, "a", 3, "hr"));
        apply(restriction(tenant, "a", 4, "hr", "board"));
        assertThat(apply(restricted(tenant, "a", 2, List.of("hr", "sales", "board"), "alpha two")))
                .isEqualTo(new Outcome.Indexed(1));
        assertThat(readBy("sales")).isEmpty();
        assertThat(readBy("board")).isEmpty();
        assertThat(readBy("hr")).containsExactly("alpha two");
        apply(restricted(tenant, "a", 4, List.of("hr", "board"), "alpha four"));
        assertThat(readBy("board")).containsExactly("alpha four");
    }

    @Test
    void it_changes_nothing_once_its_version_is_visible_or_deleted() {
        apply(restricted(tenant, "a", 2, List.of("hr", "sales"), "alpha two"));
        assertThat(apply(restriction(tenant, "a", 2, "hr"))).isInstanceOf(Outcome.Superseded.class);
        assertThat(readBy("sales")).containsExactly("alpha two");
        apply(restriction(tenant, "a", 3, "hr"));
        apply(deletion(tenant, "a", 4));
        apply(restricted(tenant, "a", 5, List.of("sales"), "alpha five"));
        assertThat(readBy("sales")).containsExactly("alpha five");
    }

    private Outcome apply(ChunkEmbeddings event) {
        return retriever.indexer().apply(event, Map.of());
    }

    /** By each leg: both carry the ACL. */
    private List<String> readBy(String principal) {
        Caller caller = new Caller(tenant, List.of(principal), false);
        List<String> near = texts(caller, SearchMode.VECTOR);
        assertThat(texts(caller, SearchMode.LEXICAL)).isEqualTo(near);
        return near;
    }

    private List<String> texts(Caller caller, SearchMode mode) {
        return retriever.search(caller, new SearchRequest("alpha", 10, mode, null)).hits().stream()
                .map(Hit::text)
                .toList();
    }
}
