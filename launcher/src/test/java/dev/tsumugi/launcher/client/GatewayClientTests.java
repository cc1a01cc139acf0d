package dev.tsumugi.launcher.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpServer;
import dev.tsumugi.contracts.DocumentState;
import dev.tsumugi.contracts.api.AnswerEvent;
import dev.tsumugi.contracts.api.AskRequest;
import dev.tsumugi.contracts.api.DocumentView;
import dev.tsumugi.contracts.api.SearchMode;
import dev.tsumugi.contracts.api.SearchRequest;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What goes over the wire; the real gateway is asked in the system tests. */
class GatewayClientTests {
    private HttpServer server;
    private GatewayClient client;
    private final List<String> requests = new ArrayList<>();
    private String body = "";

    @BeforeEach
    void startServer() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.start();
        client = new GatewayClient(
                URI.create("http://localhost:" + server.getAddress().getPort()), "a-key-for-this-test");
    }

    @AfterEach
    void stopServer() {
        server.stop(0);
    }

    @Test
    void a_file_is_uploaded_with_its_name_under_an_encoded_id(@TempDir Path folder) throws IOException {
        answer(202, "{\"id\":\"a b/c#1.md\",\"version\":3,\"state\":\"RECEIVED\",\"chunks\":0}");
        Path file = Files.writeString(folder.resolve("c#1.md"), "content");

        DocumentView view = client.upload("a b/c#1.md", file);

        assertThat(view.version()).isEqualTo(3);
        assertThat(view.state()).isEqualTo(DocumentState.RECEIVED);
        assertThat(requests)
                .containsExactly("PUT /api/v1/documents/a%20b/c%231.md Bearer a-key-for-this-test c%231.md");
        assertThat(body).isEqualTo("content");
    }

    @Test
    void a_search_says_its_mode_in_small_letters_and_leaves_out_what_is_not_set() {
        answer(200, "{\"hits\":[],\"indexGeneration\":\"g\"}");

        client.search(new SearchRequest("port", 5, SearchMode.HYBRID, null));

        assertThat(body).contains("\"mode\":\"hybrid\"", "\"limit\":5").doesNotContain("filter");
    }

    @Test
    void an_answer_arrives_piece_by_piece_and_comments_are_skipped() {
        answer(200, """
                event: delta
                data: {"delta":"On "}

                : still there

                event: delta
                data: {"delta":"8080 [1]."}

                event: done
                data: {"done":{"answer":"On 8080 [1].","answered":true,"citations":[],"provenance":{"model":"m","indexGeneration":"g","promptVersion":"1"},"usage":{"promptTokens":1,"completionTokens":2},"timings":{"retrievalMillis":1,"firstTokenMillis":2,"totalMillis":3}}}

                """);
        List<AnswerEvent> events = new ArrayList<>();

        client.ask(new AskRequest("Which port?", 5, null, true, null), events::add);

        assertThat(events.stream().map(AnswerEvent::delta).filter(Objects::nonNull))
                .containsExactly("On ", "8080 [1].");
        assertThat(events.getLast().done().answer()).isEqualTo("On 8080 [1].");
    }

    @Test
    void a_refusal_gives_the_reason_of_its_problem_detail() {
        answer(413, "{\"type\":\"about:blank\",\"title\":\"Too large\",\"detail\":\"At most 100 MB; split it.\"}");

        assertThatThrownBy(() -> client.document("x"))
                .isInstanceOf(GatewayException.class)
                .hasMessageContaining("413")
                .hasMessageContaining("At most 100 MB; split it.");
    }

    @Test
    void a_wrong_key_is_told_as_such() {
        answer(401, "");

        assertThatThrownBy(() -> client.models()).hasMessageContaining("TSUMUGI_HOME");
    }

    @Test
    void what_is_no_tsumugi_is_told_as_such() {
        answer(200, "<html>hello</html>");

        assertThatThrownBy(() -> client.documents(1)).hasMessageContaining("Is it Tsumugi");
    }

    @Test
    void without_a_gateway_it_is_said_how_to_start_one() {
        server.stop(0);

        assertThatThrownBy(() -> client.documents(1)).hasMessageContaining("./tsumugi up");
    }

    @Test
    void an_adapter_is_imported_as_a_zip_file_of_its_two_files(@TempDir Path folder) throws IOException {
        answer(201, "{\"name\":\"my adapter\",\"version\":1}");
        assertThatThrownBy(() -> PeftZip.write(folder, folder.resolve("out.zip")))
                .hasMessageContaining("adapter_config.json");
        Files.writeString(folder.resolve("adapter_config.json"), "{}");
        Files.writeString(folder.resolve("adapter_model.safetensors"), "weights");
        Files.writeString(folder.resolve("optimizer.pt"), "not sent");
        Path zip = folder.resolve("adapter.zip");
        PeftZip.write(folder, zip);
        try (ZipFile written = new ZipFile(zip.toFile())) {
            assertThat(written.stream().map(ZipEntry::getName))
                    .containsExactly("adapter_config.json", "adapter_model.safetensors");
        }

        assertThat(client.importAdapter("my adapter", zip, 5).path("version").asInt())
                .isEqualTo(1);
        client.promoteAdapter("my adapter", Map.of("digest", "0123456789"));
        assertThat(body).isEqualTo("{\"digest\":\"0123456789\"}");
        client.rollBackAdapter("my adapter");
        assertThat(requests)
                .containsExactly(
                        "POST /api/v1/adapters Bearer a-key-for-this-test",
                        "POST /api/v1/adapters/my%20adapter/promote Bearer a-key-for-this-test",
                        "POST /api/v1/adapters/my%20adapter/rollback Bearer a-key-for-this-test");
    }

    private void answer(int status, String content) {
        server.createContext("/", exchange -> {
            String name = exchange.getRequestHeaders().getFirst("X-Tsumugi-File-Name");
            requests.add(exchange.getRequestMethod() + " "
                    + exchange.getRequestURI().getRawPath() + " "
                    + exchange.getRequestHeaders().getFirst("Authorization") + (name == null ? "" : " " + name));
            body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
            byte[] bytes = content.getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
            exchange.getResponseBody().write(bytes);
            exchange.close();
        });
    }
}
