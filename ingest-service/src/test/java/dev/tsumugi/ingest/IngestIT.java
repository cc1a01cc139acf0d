package dev.tsumugi.ingest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.tsumugi.contracts.DocumentKey;
import dev.tsumugi.contracts.DocumentState;
import dev.tsumugi.contracts.Topics;
import dev.tsumugi.contracts.api.DocumentPage;
import dev.tsumugi.contracts.api.DocumentView;
import dev.tsumugi.contracts.api.InternalHeaders;
import dev.tsumugi.contracts.event.DocumentChunks;
import dev.tsumugi.contracts.event.DocumentIngest;
import dev.tsumugi.contracts.event.DocumentStatus;
import dev.tsumugi.ingest.blob.BlobStore;
import dev.tsumugi.ingest.parse.TestFiles;
import dev.tsumugi.ingest.registry.DocumentContent;
import dev.tsumugi.ingest.registry.DocumentRegistry;
import dev.tsumugi.ingest.registry.RegisteredDocument;
import dev.tsumugi.ingest.registry.Source;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import javax.sql.DataSource;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.awaitility.core.ThrowingRunnable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.dao.OptimisticLockingFailureException;
import org.springframework.jdbc.core.simple.JdbcClient;

/** Documents through the topic and by REST, with a real broker and a real database. */
class IngestIT {
    private static IngestFixture ingest;

    @BeforeAll
    static void start(@TempDir Path blobs) {
        ingest = new IngestFixture(blobs);
    }

    @AfterAll
    static void stop() {
        ingest.close();
    }

    private static void eventually(ThrowingRunnable assertion) {
        await().atMost(Duration.ofSeconds(60))
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(20))
                // The first or the last of what has not come yet.
                .ignoreException(NoSuchElementException.class)
                .untilAsserted(assertion);
    }

    private static void awaitState(String id, long version, DocumentState state) {
        eventually(() -> {
            DocumentView view = ingest.view(id);
            assertThat(view.version()).isEqualTo(version);
            assertThat(view.state()).isEqualTo(state);
        });
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Test
    void inline_text_becomes_chunks_with_exact_offsets() {
        String text = "The gate opens at six. ".repeat(200);
        ingest.sendText("acme/inline", text);

        awaitState("inline", 1, DocumentState.PARSED);
        eventually(() -> assertThat(ingest.chunks("acme/inline")).hasSize(1));
        DocumentChunks event = ingest.chunks("acme/inline").getFirst();
        assertThat(event.version()).isEqualTo(1);
        assertThat(event.title()).isEqualTo("Title");
        assertThat(event.metadata()).isEqualTo(Map.of("department", "hr"));
        assertThat(event.chunks()).hasSizeGreaterThan(3);
        for (int i = 0; i < event.chunks().size(); i++) {
            DocumentChunks.Chunk chunk = event.chunks().get(i);
            assertThat(chunk.index()).isEqualTo(i);
            assertThat(text.substring(chunk.start(), chunk.end())).isEqualTo(chunk.text());
            assertThat(chunk.hash()).hasSize(64);
        }
        assertThat(ingest.statuses("acme/inline"))
                .extracting(DocumentStatus::state)
                .containsExactly(DocumentState.RECEIVED, DocumentState.PARSED);
        assertThat(ingest.view("inline").chunks()).isEqualTo(event.chunks().size());
    }

    @Test
    void a_large_document_travels_in_parts() {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 3000; i++) {
            text.append("Sentence number ").append(i).append(" speaks about the pumps of the north wing. ");
        }
        HttpResponse<String> answer = ingest.put("large", utf8(text.toString()), "text/plain");
        assertThat(answer.statusCode()).isEqualTo(202);

        awaitState("large", 1, DocumentState.PARSED);
        eventually(() -> {
            List<DocumentChunks> parts = ingest.chunks("acme/large");
            assertThat(parts).hasSizeGreaterThan(1).hasSize(parts.getFirst().parts());
            assertThat(parts).allMatch(part -> part.chunks().size() <= 64);
            assertThat(parts.stream().mapToInt(part -> part.chunks().size()).sum())
                    .isEqualTo(ingest.view("large").chunks());
        });
    }

    @Test
    void an_upload_is_received_and_then_parsed() throws Exception {
        HttpResponse<String> answer = ingest.put(
                "hr/rules.pdf",
                TestFiles.pdf(List.of("The night shift checks every pump.")),
                "application/x-www-form-urlencoded",
                "X-Tsumugi-Title",
                "%E5%B0%B1%E6%A5%AD%E8%A6%8F%E5%89%87",
                "X-Tsumugi-Metadata",
                "department=hr,year=2026");

        assertThat(answer.statusCode()).isEqualTo(202);
        DocumentView received = IngestFixture.JSON.readValue(answer.body(), DocumentView.class);
        assertThat(received.id()).isEqualTo("hr/rules.pdf");
        assertThat(ingest.view("hr%2Frules.pdf").id()).isEqualTo("hr/rules.pdf");
        awaitState("hr/rules.pdf", 1, DocumentState.PARSED);
        DocumentView view = ingest.view("hr/rules.pdf");
        assertThat(view.title()).isEqualTo("就業規則");
        assertThat(view.contentType()).isEqualTo("application/pdf");
        eventually(() -> assertThat(ingest.chunks("acme/hr/rules.pdf"))
                .singleElement()
                .satisfies(event -> {
                    assertThat(event.metadata()).isEqualTo(Map.of("department", "hr", "year", "2026"));
                    assertThat(event.chunks().getFirst().text()).isEqualTo("The night shift checks every pump.");
                }));
    }

    @Test
    void a_shift_jis_file_is_read() {
        ingest.put("sjis.txt", "水門を開ける前に点検します。".getBytes(Charset.forName("Shift_JIS")), "text/plain");

        eventually(() -> assertThat(ingest.chunks("acme/sjis.txt")
                        .getFirst()
                        .chunks()
                        .getFirst()
                        .text())
                .isEqualTo("水門を開ける前に点検します。"));
    }

    @Test
    void the_same_content_again_changes_nothing() {
        byte[] content = utf8("Nothing new under the sun.");
        ingest.put("same", content, "text/plain");
        awaitState("same", 1, DocumentState.PARSED);

        HttpResponse<String> again = ingest.put("same", content, "text/plain");

        assertThat(again.statusCode()).isEqualTo(202);
        assertThat(IngestFixture.JSON
                        .readValue(again.body(), DocumentView.class)
                        .state())
                .isEqualTo(DocumentState.PARSED);
        ingest.sendText("acme/same-by-kafka", "Twice the same.");
        ingest.sendText("acme/same-by-kafka", "Twice the same.");
        ingest.sendText("acme/same-by-kafka", "Now another.");
        awaitState("same-by-kafka", 2, DocumentState.PARSED);
        assertThat(ingest.view("same").version()).isEqualTo(1);
        eventually(() -> assertThat(ingest.chunks("acme/same-by-kafka"))
                .extracting(DocumentChunks::version)
                .containsExactly(1L, 2L));
    }

    @Test
    void a_delete_has_a_version_of_its_own_and_versions_go_on_behind_it() {
        ingest.sendText("acme/gone", "Here today.");
        awaitState("gone", 1, DocumentState.PARSED);

        HttpResponse<String> answer =
                ingest.call(ingest.request("/internal/documents/gone").DELETE());

        assertThat(answer.statusCode()).isEqualTo(202);
        eventually(() -> assertThat(ingest.chunks("acme/gone").getLast()).satisfies(event -> {
            assertThat(event.deleted()).isTrue();
            assertThat(event.version()).isEqualTo(2);
        }));
        ingest.sendStatus(new DocumentStatus(1, "acme", "gone", 2, DocumentState.DELETED, 0, null, Instant.now()));
        awaitState("gone", 2, DocumentState.DELETED);
        ingest.sendText("acme/gone", "Here today.");
        awaitState("gone", 3, DocumentState.PARSED);
    }

    @Test
    void a_null_value_deletes() {
        ingest.sendText("acme/null", "Here today.");
        ingest.send("acme/null", null);

        eventually(() -> assertThat(ingest.chunks("acme/null"))
                .extracting(DocumentChunks::deleted)
                .containsExactly(false, true));
    }

    @Test
    void later_states_come_from_the_topic_and_late_ones_are_ignored() {
        ingest.sendText("acme/states", "Some text.");
        awaitState("states", 1, DocumentState.PARSED);

        ingest.sendStatus(new DocumentStatus(1, "acme", "states", 1, DocumentState.INDEXED, 1, null, Instant.now()));
        awaitState("states", 1, DocumentState.INDEXED);
        ingest.sendStatus(new DocumentStatus(1, "acme", "states", 1, DocumentState.EMBEDDED, 1, null, Instant.now()));
        ingest.sendStatus(new DocumentStatus(1, "acme", "states", 9, DocumentState.FAILED, 1, "x", Instant.now()));
        ingest.sendText("acme/states-behind", "Some text.");
        awaitState("states-behind", 1, DocumentState.PARSED);
        ingest.sendStatus(
                new DocumentStatus(1, "acme", "states-behind", 1, DocumentState.INDEXED, 1, null, Instant.now()));
        awaitState("states-behind", 1, DocumentState.INDEXED);
        assertThat(ingest.view("states").state()).isEqualTo(DocumentState.INDEXED);
    }

    @Test
    void bad_records_go_to_the_dead_letter_topic_and_the_next_is_served() {
        ingest.send("acme/bad-json", utf8("{ not json"));
        ingest.send("acme/bad-version", utf8("{\"schemaVersion\": 99, \"text\": \"x\"}"));
        ingest.send("acme/bad-none", utf8("{\"schemaVersion\": 1}"));
        ingest.send("acme/bad-both", utf8("{\"schemaVersion\": 1, \"text\": \"x\", \"bytes\": \"eA==\"}"));
        ingest.send("acme/bad-blob", utf8("{\"schemaVersion\": 1, \"reference\": \"blob:" + "0".repeat(64) + "\"}"));
        ingest.send("no-slash", utf8("{\"schemaVersion\": 1, \"text\": \"x\"}"));
        ingest.sendText("acme/good", "The next one.");

        awaitState("good", 1, DocumentState.PARSED);
        for (String id : List.of("bad-json", "bad-version", "bad-none", "bad-both", "bad-blob")) {
            awaitState(id, 1, DocumentState.FAILED);
            assertThat(ingest.view(id).error()).isNotBlank();
            assertThat(ingest.statuses("acme/" + id).getLast().state()).isEqualTo(DocumentState.FAILED);
            assertThat(ingest.deadLetterReasons("acme/" + id)).hasSize(1);
        }
        assertThat(ingest.view("bad-version").error()).contains("schemaVersion 99");
        assertThat(ingest.view("bad-both").error()).contains("exactly one");
        assertThat(ingest.view("bad-blob").error()).contains("no blob");
        eventually(() -> assertThat(ingest.deadLetterReasons("no-slash"))
                .singleElement()
                .satisfies(reason -> assertThat(reason).contains("tenant/documentId")));
    }

    @Test
    void an_unparsable_document_fails_with_its_reason_and_the_version_before_stays_published() throws Exception {
        byte[] pdf = TestFiles.pdf(List.of("Readable."));
        ingest.put("broken", pdf, "application/pdf");
        awaitState("broken", 1, DocumentState.PARSED);

        ingest.put("broken", java.util.Arrays.copyOf(pdf, pdf.length / 2), "application/pdf");

        awaitState("broken", 2, DocumentState.FAILED);
        assertThat(ingest.view("broken").error()).contains("cut off");
        assertThat(ingest.deadLetterReasons("acme/broken")).hasSize(1);
        assertThat(ingest.chunks("acme/broken"))
                .extracting(DocumentChunks::version)
                .containsExactly(1L);
        // A failed one may be sent again.
        ingest.put("broken", pdf, "application/pdf");
        awaitState("broken", 3, DocumentState.PARSED);
    }

    @Test
    void whom_a_version_does_not_name_loses_the_one_before_though_it_cannot_be_parsed() throws Exception {
        byte[] pdf = TestFiles.pdf(List.of("Readable."));
        ingest.put("narrowed", pdf, "application/pdf", "X-Tsumugi-Acl", "hr,sales");
        awaitState("narrowed", 1, DocumentState.PARSED);

        ingest.put("narrowed", java.util.Arrays.copyOf(pdf, pdf.length / 2), "application/pdf", "X-Tsumugi-Acl", "hr");

        awaitState("narrowed", 2, DocumentState.FAILED);
        DocumentChunks last = ingest.chunks("acme/narrowed").getLast();
        assertThat(last.restricts()).isTrue();
        assertThat(last.version()).isEqualTo(2);
        assertThat(last.acl()).containsExactly("hr");
    }

    @Test
    void a_record_that_is_refused_narrows_the_version_before_all_the_same_and_that_is_not_processed_again() {
        ingest.sendText("acme/refused", "Secret plans.", "hr", "sales");
        awaitState("refused", 1, DocumentState.PARSED);

        ingest.send("acme/refused", utf8("{\"schemaVersion\": 1, \"acl\": [\"hr\"]}"));

        awaitState("refused", 2, DocumentState.FAILED);
        eventually(() -> assertThat(ingest.chunks("acme/refused").getLast()).satisfies(last -> {
            assertThat(last.restricts()).isTrue();
            assertThat(last.acl()).containsExactly("hr");
        }));
        DocumentRegistry registry = ingest.bean(DocumentRegistry.class);
        assertThat(registry.find("refused", new DocumentRegistry.Reader("acme", List.of("sales"), false)))
                .isEmpty();
        assertThat(registry.find(new DocumentKey("acme", "refused"))
                        .orElseThrow()
                        .isLive())
                .isFalse();
        // An ACL that breaks the rules is none.
        ingest.send("acme/refused", utf8("{\"schemaVersion\": 1, \"acl\": [\" \"]}"));
        awaitState("refused", 3, DocumentState.FAILED);
        assertThat(ingest.chunks("acme/refused").getLast().version()).isEqualTo(2);
    }

    @Test
    void a_version_that_everyone_may_read_and_a_first_one_take_it_from_nobody() {
        ingest.sendText("acme/widened", "First.", "hr");
        ingest.sendText("acme/widened", "Second.");
        awaitState("widened", 2, DocumentState.PARSED);
        eventually(() -> assertThat(ingest.chunks("acme/widened"))
                .extracting(DocumentChunks::restricts)
                .containsExactly(false, false));
    }

    @Test
    void a_record_that_is_delivered_again_changes_nothing() {
        ingest.sendText("acme/redelivered", "First.");
        ingest.sendText("acme/redelivered", "Second.");
        awaitState("redelivered", 2, DocumentState.PARSED);
        eventually(() -> assertThat(ingest.chunks("acme/redelivered")).hasSize(2));

        rewindAndRestart(() -> {});

        ingest.sendText("acme/redelivered-behind", "Behind.");
        awaitState("redelivered-behind", 1, DocumentState.PARSED);
        assertThat(ingest.view("redelivered").version()).isEqualTo(2);
        assertThat(ingest.chunks("acme/redelivered")).hasSize(2);
    }

    @Test
    void a_crash_between_the_registry_and_the_topic_loses_no_chunks() {
        ingest.sendText("acme/crashed", "Published late.");
        awaitState("crashed", 1, DocumentState.PARSED);
        eventually(() -> assertThat(ingest.chunks("acme/crashed")).hasSize(1));

        // As a kill -9 leaves it: the version is made, its chunks were not acknowledged.
        rewindAndRestart(() -> ingest.bean(JdbcClient.class)
                .sql("update ingest.documents set published = false, state = 'RECEIVED' where id = 'crashed'")
                .update());

        eventually(() -> assertThat(ingest.chunks("acme/crashed"))
                .extracting(DocumentChunks::version)
                .containsExactly(1L, 1L));
        awaitState("crashed", 1, DocumentState.PARSED);
        List<DocumentChunks> both = ingest.chunks("acme/crashed");
        assertThat(both.getLast()).isEqualTo(both.getFirst());
    }

    @Test
    void a_crash_between_a_failed_version_and_the_topic_does_not_leave_the_one_before_to_whom_it_does_not_name() {
        ingest.sendText("acme/cut-off", "Secret plans.", "hr", "sales");
        ingest.send("acme/cut-off", utf8("{\"schemaVersion\": 1, \"acl\": [\"hr\"]}"));
        awaitState("cut-off", 2, DocumentState.FAILED);
        eventually(() -> assertThat(ingest.chunks("acme/cut-off")).hasSize(2));

        // The registry has the failed version; whether anything else was written before the crash it cannot know.
        rewindAndRestart(() -> {});

        eventually(() -> assertThat(ingest.chunks("acme/cut-off"))
                .extracting(DocumentChunks::restricts)
                .containsExactly(false, true, true));
        List<DocumentChunks> all = ingest.chunks("acme/cut-off");
        assertThat(all.getLast()).isEqualTo(all.get(1));
        assertThat(all.getLast().acl()).containsExactly("hr");
        assertThat(ingest.view("cut-off").version()).isEqualTo(2);
    }

    private static void rewindAndRestart(Runnable damage) {
        eventually(() -> assertThat(ingest.lag()).isZero());
        damage.run();
        ingest.stopService();
        ingest.rewind();
        ingest.restartService();
    }

    @Test
    void every_live_document_can_be_processed_again() {
        IngestFixture other = ingest;
        other.put("reindexed", utf8("Same words."), "text/plain");
        awaitState("reindexed", 1, DocumentState.PARSED);

        HttpResponse<String> answer =
                other.call(other.request("/internal/reindex").POST(HttpRequest.BodyPublishers.noBody()));

        assertThat(answer.statusCode()).isEqualTo(202);
        awaitState("reindexed", 2, DocumentState.PARSED);
        eventually(() -> assertThat(other.chunks("acme/reindexed"))
                .extracting(DocumentChunks::version)
                .containsExactly(1L, 2L));
    }

    @Test
    void bad_uploads_get_a_problem_that_says_what_to_do() {
        assertProblem(ingest.put("empty", new byte[0], "text/plain"), 400, "document-empty");
        assertProblem(ingest.put("huge", new byte[3 << 20], "text/plain"), 413, "document-too-large");
        byte[] png = {(byte) 0x89, 'P', 'N', 'G', 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13, 'I', 'H', 'D', 'R'};
        assertProblem(ingest.put("picture", png, "text/plain"), 415, "document-type");
        assertProblem(
                ingest.put("header", utf8("text"), "text/plain", "X-Tsumugi-Metadata", "nonsense"),
                400,
                "document-header");
        assertProblem(ingest.get("nowhere"), 404, "document-unknown");
        assertProblem(ingest.call(ingest.request("/internal/documents/nowhere").DELETE()), 404, "document-unknown");
        assertProblem(
                ingest.call(ingest.request("/internal/documents?limit=9999").GET()), 400, "page-limit");
        for (String id : List.of("empty", "huge", "picture", "header")) {
            assertThat(ingest.get(id).statusCode()).isEqualTo(404);
        }
    }

    private static void assertProblem(HttpResponse<String> response, int status, String kind) {
        assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
        assertThat(response.headers().firstValue("Content-Type")).hasValue("application/problem+json");
        assertThat(response.body()).contains("urn:tsumugi:problem:" + kind);
    }

    @Test
    void a_page_holds_what_the_caller_may_read() {
        for (String id : List.of("p/1", "p/2", "p/3")) {
            ingest.put(id, utf8("Text of " + id), "text/plain", "X-Tsumugi-Acl", id.equals("p/2") ? "alice" : "");
            awaitState(id, 1, DocumentState.PARSED);
        }

        DocumentPage first = page("?limit=2&after=p/", "*");
        assertThat(first.documents()).extracting(DocumentView::id).containsExactly("p/1", "p/2");
        assertThat(page("?limit=2&after=" + first.next(), "*")
                        .documents()
                        .getFirst()
                        .id())
                .isEqualTo("p/3");
        assertThat(page("?limit=2&after=p/", "alice").documents())
                .extracting(DocumentView::id)
                .containsExactly("p/1", "p/2");
        assertThat(page("?limit=2&after=p/", "bob").documents())
                .extracting(DocumentView::id)
                .containsExactly("p/1", "p/3");
    }

    private static DocumentPage page(String query, String principals) {
        HttpRequest.Builder request = ingest.request("/internal/documents" + query)
                .setHeader(InternalHeaders.PRINCIPALS, principals)
                .GET();
        return IngestFixture.JSON.readValue(ingest.call(request).body(), DocumentPage.class);
    }

    @Test
    void who_may_not_read_a_document_may_neither_replace_nor_delete_it() {
        ingest.put("private", utf8("For Alice."), "text/plain", "X-Tsumugi-Acl", "alice");
        awaitState("private", 1, DocumentState.PARSED);

        HttpRequest.Builder replace = ingest.request("/internal/documents/private")
                .setHeader(InternalHeaders.PRINCIPALS, "bob")
                .PUT(HttpRequest.BodyPublishers.ofString("Mine now."));
        HttpRequest.Builder delete = ingest.request("/internal/documents/private")
                .setHeader(InternalHeaders.PRINCIPALS, "bob")
                .DELETE();

        assertProblem(ingest.call(replace), 403, "document-not-yours");
        assertProblem(ingest.call(delete), 404, "document-unknown");
    }

    @Test
    void a_document_that_vanishes_while_it_is_deleted_is_unknown() throws Exception {
        JdbcClient jdbc = ingest.bean(JdbcClient.class);
        jdbc.sql("""
                        insert into ingest.documents (tenant, id, version, state, upload, upload_hash, upload_blob, upload_event,
                            upload_at, updated_at)
                        values ('acme', 'vanishing', 0, 'RECEIVED', gen_random_uuid(), 'a', 'b', convert_to('{}', 'UTF8'),
                            now() + interval '1 hour', now())
                        """).update();
        CompletableFuture<HttpResponse<String>> answer;
        try (Connection other = ingest.bean(DataSource.class).getConnection()) {
            other.setAutoCommit(false);
            other.createStatement().executeUpdate("delete from ingest.documents where id = 'vanishing'");
            answer = CompletableFuture.supplyAsync(() ->
                    ingest.call(ingest.request("/internal/documents/vanishing").DELETE()));
            // The call has found the row and waits to write to it.
            eventually(() -> assertThat(jdbc.sql("select count(*) from pg_locks where not granted")
                            .query(Long.class)
                            .single())
                    .isPositive());
            other.commit();
        }
        assertProblem(answer.get(), 404, "document-unknown");
    }

    @Test
    void an_upload_that_still_waits_belongs_to_who_may_read_it() {
        // As it stands before the first record of a document is processed.
        ingest.bean(JdbcClient.class).sql("""
                        insert into ingest.documents (tenant, id, version, state, acl, upload, upload_hash, upload_blob, upload_event,
                            upload_at, updated_at)
                        values ('waiting', 'pending', 0, 'RECEIVED', '{alice}', gen_random_uuid(), 'a', 'b', convert_to('{}', 'UTF8'),
                            now() + interval '1 hour', now())
                        """).update();
        HttpRequest.Builder replace = ingest.request("/internal/documents/pending")
                .setHeader(InternalHeaders.TENANT, "waiting")
                .setHeader(InternalHeaders.PRINCIPALS, "bob")
                .PUT(HttpRequest.BodyPublishers.ofString("Mine now."));

        assertProblem(ingest.call(replace), 403, "document-not-yours");
    }

    @Test
    void of_two_who_upload_to_a_new_id_at_once_the_one_who_comes_late_is_refused() {
        DocumentRegistry registry = ingest.bean(DocumentRegistry.class);
        DocumentKey key = new DocumentKey("waiting", "contested");
        DocumentRegistry.Reader alice = new DocumentRegistry.Reader("waiting", List.of("alice"), false);
        DocumentRegistry.Reader bob = new DocumentRegistry.Reader("waiting", List.of("bob"), false);
        assertThat(registry.isForeign(key, alice) || registry.isForeign(key, bob))
                .as("both find the id free")
                .isFalse();

        assertThat(registry.expect(key, upload(), contentFor("alice"), alice)).isTrue();
        assertThat(registry.expect(key, upload(), contentFor("bob"), bob)).isFalse();
        assertThat(registry.cancelUpload(key, bob)).isFalse();
        assertThat(registry.expect(key, upload(), contentFor("alice"), alice)).isTrue();
        assertThat(registry.cancelUpload(key, alice)).isTrue();
        assertThat(registry.find(key)).isEmpty();
    }

    @Test
    void an_open_document_belongs_to_whom_the_waiting_upload_names() {
        DocumentRegistry registry = ingest.bean(DocumentRegistry.class);
        DocumentKey key = new DocumentKey("waiting", "claimed");
        DocumentRegistry.Reader alice = new DocumentRegistry.Reader("waiting", List.of("alice"), false);
        DocumentRegistry.Reader bob = new DocumentRegistry.Reader("waiting", List.of("bob"), false);
        registry.begin(key, 0, contentFor(), new Source(0, 1, 1), null);
        assertThat(registry.isForeign(key, bob)).isFalse();

        assertThat(registry.expect(key, upload(), contentFor("alice"), alice)).isTrue();

        assertThat(registry.isForeign(key, bob)).isTrue();
        assertThat(registry.expect(key, upload(), contentFor("bob"), bob)).isFalse();
        assertThat(registry.cancelUpload(key, alice)).isTrue();
    }

    private static RegisteredDocument.Upload upload() {
        return new RegisteredDocument.Upload(UUID.randomUUID(), "hash", utf8("{}"));
    }

    private static DocumentContent contentFor(String... acl) {
        return new DocumentContent("c".repeat(64), null, null, null, Map.of(), List.of(acl));
    }

    @Test
    void a_repeated_record_of_an_upload_does_not_overwrite_what_came_after_the_first() {
        ingest.put("overtaken", utf8("Uploaded."), "text/plain");
        awaitState("overtaken", 1, DocumentState.PARSED);
        ConsumerRecord<String, byte[]> first =
                ingest.records(Topics.DOCUMENT_INGEST, "acme/overtaken").getFirst();
        ingest.sendText("acme/overtaken", "Newer.");
        awaitState("overtaken", 2, DocumentState.PARSED);
        first.headers().add("tsumugi-repeated", utf8("true"));
        ingest.send(new ProducerRecord<>(first.topic(), null, first.key(), first.value(), first.headers()));
        ingest.sendText("acme/overtaken", "Newest.");
        awaitState("overtaken", 3, DocumentState.PARSED);

        assertThat(ingest.chunks("acme/overtaken"))
                .extracting(part -> part.chunks().getFirst().text())
                .containsExactly("Uploaded.", "Newer.", "Newest.");
    }

    @Test
    void a_version_does_not_follow_one_that_its_worker_has_not_seen() {
        DocumentRegistry registry = ingest.bean(DocumentRegistry.class);
        DocumentKey key = new DocumentKey("waiting", "two-workers");
        DocumentContent old = new DocumentContent("a".repeat(64), null, null, null, Map.of(), List.of());
        DocumentContent young = new DocumentContent("b".repeat(64), null, null, null, Map.of(), List.of());
        assertThat(registry.begin(key, 0, old, new Source(0, 1, 1), null)).isEqualTo(1);
        assertThat(registry.begin(key, 1, young, new Source(0, 2, 2), null)).isEqualTo(2);

        assertThatThrownBy(() -> registry.begin(key, 1, old, new Source(0, 1, 1), null))
                .isInstanceOf(OptimisticLockingFailureException.class);
        assertThatThrownBy(() -> registry.fail(key, 1, new Source(0, 1, 1), null, List.of(), "unreadable"))
                .isInstanceOf(OptimisticLockingFailureException.class);
        assertThat(registry.delete(key, 1, new Source(0, 1, 1))).isEmpty();
        assertThat(registry.find(key).orElseThrow().holds(young.hash())).isTrue();
    }

    @Test
    void an_upload_whose_record_was_never_written_is_not_lost() {
        ingest.put("noted", utf8("Noted but not sent."), "text/plain");
        awaitState("noted", 1, DocumentState.PARSED);
        // As a kill -9 leaves it between the registry and the topic.
        ingest.bean(JdbcClient.class).sql("""
                        insert into ingest.documents (tenant, id, version, state, upload, upload_hash, upload_blob, upload_event,
                            upload_at, updated_at)
                        select tenant, 'unsent', 0, 'RECEIVED', gen_random_uuid(), content_hash, blob,
                            convert_to('{"schemaVersion":1,"reference":"blob:' || blob || '"}', 'UTF8'), now(), now()
                        from ingest.documents where id = 'noted'
                        """).update();
        assertThat(ingest.view("unsent").state()).isEqualTo(DocumentState.RECEIVED);

        ingest.runHousekeeping();

        awaitState("unsent", 1, DocumentState.PARSED);
    }

    @Test
    void the_content_of_a_deleted_document_leaves_the_disk() throws Exception {
        ingest.put("kept-content", utf8("Content that stays."), "text/plain");
        ingest.put("dropped-content", utf8("Content that goes."), "text/plain");
        awaitState("kept-content", 1, DocumentState.PARSED);
        awaitState("dropped-content", 1, DocumentState.PARSED);
        String kept = blobOf("kept-content");
        String dropped = blobOf("dropped-content");

        ingest.call(ingest.request("/internal/documents/dropped-content").DELETE());
        eventually(
                () -> assertThat(ingest.chunks("acme/dropped-content").getLast().deleted())
                        .isTrue());
        // Sets it aside, and deletes it.
        ingest.runHousekeeping();
        ingest.runHousekeeping();

        assertThat(ingest.bean(BlobStore.class).find(dropped)).isEmpty();
        assertThat(ingest.bean(BlobStore.class).find(kept)).isPresent();
    }

    private static String blobOf(String id) {
        return ingest.bean(JdbcClient.class)
                .sql("select blob from ingest.documents where id = :id")
                .param("id", id)
                .query(String.class)
                .single();
    }

    @Test
    void a_zip_bomb_is_accepted_but_fails_with_its_reason() throws Exception {
        HttpResponse<String> answer = ingest.put("bomb.docx", TestFiles.bomb(), "application/octet-stream");

        assertThat(answer.statusCode()).isEqualTo(202);
        awaitState("bomb.docx", 1, DocumentState.FAILED);
        assertThat(ingest.view("bomb.docx").error()).contains("zip bomb");
        assertThat(ingest.deadLetterReasons("acme/bomb.docx")).hasSize(1);
    }

    @Test
    void a_reason_with_characters_that_the_database_refuses_is_kept_without_them() {
        ingest.send("acme/nul", utf8("{\"schemaVersion\": 1, \"reference\": \"a\\u0000b\"}"));

        awaitState("nul", 1, DocumentState.FAILED);
        assertThat(ingest.view("nul").error()).contains("'ab'");
    }

    @Test
    void inline_bytes_are_files() throws Exception {
        ingest.send(
                "acme/bytes",
                IngestFixture.JSON.writeValueAsBytes(new DocumentIngest(
                        1, null, "text/plain", null, TestFiles.pdf(List.of("In bytes.")), null, "b.pdf", null, null)));

        awaitState("bytes", 1, DocumentState.PARSED);
        assertThat(ingest.view("bytes").title()).isEqualTo("b.pdf");
        assertThat(ingest.view("bytes").contentType()).isEqualTo("application/pdf");
    }
}
