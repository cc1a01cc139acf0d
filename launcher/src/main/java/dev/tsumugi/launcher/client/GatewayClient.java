package dev.tsumugi.launcher.client;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.tsumugi.contracts.api.AnswerEvent;
import dev.tsumugi.contracts.api.AskRequest;
import dev.tsumugi.contracts.api.DocumentHeaders;
import dev.tsumugi.contracts.api.DocumentPage;
import dev.tsumugi.contracts.api.DocumentView;
import dev.tsumugi.contracts.api.SearchRequest;
import dev.tsumugi.contracts.api.SearchResponse;
import dev.tsumugi.launcher.runtime.StateFolder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Calls of the public REST API. All methods throw {@link GatewayException} when the gateway refuses or is not there. */
public final class GatewayClient {
    private static final JsonMapper JSON = JsonMapper.builder()
            .changeDefaultPropertyInclusion(inclusion -> inclusion.withValueInclusion(JsonInclude.Include.NON_NULL))
            .build();

    private static final Duration CONNECT_LIMIT = Duration.ofSeconds(5);
    private static final Duration CALL_LIMIT = Duration.ofMinutes(2);
    /** Between two pieces of an answer there may be a wait for other answers. */
    private static final Duration ANSWER_LIMIT = Duration.ofMinutes(30);

    private final URI address;
    private final String key;
    private final HttpClient http = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(CONNECT_LIMIT)
            .build();

    public GatewayClient(URI address, String key) {
        this.address = address;
        this.key = key;
    }

    /** The gateway of this state folder. */
    public static GatewayClient of(StateFolder home, int port) {
        String key = home.adminKey()
                .orElseThrow(() -> new GatewayException(
                        0,
                        "There is no readable key in " + home.adminKeyFile()
                                + ". Start Tsumugi (./tsumugi up), or set TSUMUGI_HOME to the folder that it runs on.",
                        null));
        return new GatewayClient(URI.create("http://localhost:" + port), key);
    }

    public URI address() {
        return address;
    }

    /** Uploads the content of {@code file} under {@code id}; the answer says which version it became. */
    public DocumentView upload(String id, Path file) {
        try {
            HttpRequest.Builder request = request("/api/v1/documents/" + encodedPath(id))
                    .header("Content-Type", "application/octet-stream")
                    .header(
                            DocumentHeaders.FILE_NAME,
                            encoded(file.getFileName().toString()))
                    .PUT(BodyPublishers.ofFile(file));
            return read(send(request), DocumentView.class);
        } catch (IOException e) {
            throw new GatewayException(0, "Cannot read " + file + ": " + e, e);
        }
    }

    public DocumentView document(String id) {
        return read(send(request("/api/v1/documents/" + encodedPath(id)).GET()), DocumentView.class);
    }

    /** @param limit most documents in the answer */
    public DocumentPage documents(int limit) {
        return read(send(request("/api/v1/documents?limit=" + limit).GET()), DocumentPage.class);
    }

    public SearchResponse search(SearchRequest question) {
        return read(send(post("/api/v1/search", question)), SearchResponse.class);
    }

    /** Asks with {@code stream: true}; {@code listener} hears each event as it arrives. */
    public void ask(AskRequest question, Consumer<AnswerEvent> listener) {
        HttpRequest request = post("/api/v1/ask", question)
                .header("Accept", "text/event-stream")
                .timeout(ANSWER_LIMIT)
                .build();
        HttpResponse<Stream<String>> response = exchange(request, BodyHandlers.ofLines());
        try (Stream<String> lines = response.body()) {
            if (response.statusCode() != 200) {
                throw refused(response.statusCode(), lines.collect(Collectors.joining("\n")));
            }
            EventStream events = new EventStream(data -> listener.accept(parse(data, AnswerEvent.class)));
            lines.forEach(events::line);
        } catch (UncheckedIOException e) {
            throw new GatewayException(
                    0,
                    "The answer broke off: " + e.getMessage() + ". Is Tsumugi still running? See ./tsumugi status.",
                    e);
        }
    }

    /** The OpenAI-compatible list of models. */
    public JsonNode models() {
        return read(send(request("/v1/models").GET()), JsonNode.class);
    }

    JsonNode getJson(String path) {
        return read(send(request(path).GET()), JsonNode.class);
    }

    JsonNode postJson(String path, Object body) {
        return read(send(post(path, body)), JsonNode.class);
    }

    JsonNode postFile(String path, Path file) {
        try {
            return read(
                    send(request(path)
                            .header("Content-Type", "application/octet-stream")
                            .POST(BodyPublishers.ofFile(file))),
                    JsonNode.class);
        } catch (IOException e) {
            throw new GatewayException(0, "Cannot read " + file + ": " + e, e);
        }
    }

    void delete(String path) {
        send(request(path).DELETE());
    }

    /** Names of adapters, what they stand for, and which replica serves what. */
    public JsonNode adapters() {
        return getJson("/api/v1/adapters");
    }

    public JsonNode adapter(String name) {
        return getJson("/api/v1/adapters/" + encoded(name));
    }

    /**
     * Imports the zip file of a PEFT folder.
     *
     * @param canary percent of the requests that it answers; 0: all
     */
    public JsonNode importAdapter(String name, Path zip, int canary) {
        return postFile("/api/v1/adapters?name=" + encoded(name) + "&canary=" + canary, zip);
    }

    /** @param choice {@code digest} and {@code canary}, where they are not to be what the name stands for, and all requests */
    public JsonNode promoteAdapter(String name, Map<String, Object> choice) {
        return postJson("/api/v1/adapters/" + encoded(name) + "/promote", choice);
    }

    public JsonNode rollBackAdapter(String name) {
        return postJson("/api/v1/adapters/" + encoded(name) + "/rollback", Map.of());
    }

    public void deleteAdapter(String name) {
        delete("/api/v1/adapters/" + encoded(name));
    }

    private HttpRequest.Builder post(String path, Object body) {
        return request(path)
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.ofString(JSON.writeValueAsString(body)));
    }

    private HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(address.resolve(path))
                .timeout(CALL_LIMIT)
                .header("Authorization", "Bearer " + key);
    }

    private HttpResponse<String> send(HttpRequest.Builder request) {
        HttpResponse<String> response = exchange(request.build(), BodyHandlers.ofString());
        if (response.statusCode() / 100 != 2) {
            throw refused(response.statusCode(), response.body());
        }
        return response;
    }

    private <T> HttpResponse<T> exchange(HttpRequest request, HttpResponse.BodyHandler<T> handler) {
        try {
            return http.send(request, handler);
        } catch (java.net.ConnectException e) {
            throw new GatewayException(
                    0,
                    "Tsumugi does not answer at " + address
                            + ". Start it with ./tsumugi up; if it runs on another port, set" + " TSUMUGI_PORT.",
                    e);
        } catch (IOException e) {
            throw new GatewayException(0, "The call to " + address + " failed: " + e, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new GatewayException(0, "Interrupted.", e);
        }
    }

    private GatewayException refused(int status, String body) {
        String reason = reasonIn(body);
        String hint = status == 401
                ? " The key in the state folder is not the one of the running Tsumugi: set TSUMUGI_HOME and TSUMUGI_PORT to the"
                        + " same values that it was started with."
                : "";
        return new GatewayException(status, "Refused (" + status + "): " + reason + hint, null);
    }

    private static String reasonIn(String body) {
        try {
            JsonNode problem = JSON.readTree(body);
            String detail = problem.path("detail").asString("");
            String title = problem.path("title")
                    .asString(problem.path("error").path("message").asString(""));
            if (!detail.isEmpty() || !title.isEmpty()) {
                return detail.isEmpty() ? title : detail;
            }
        } catch (JacksonException e) {
            // no problem detail: shown as it is
        }
        return body.isBlank()
                ? "no reason given"
                : body.strip().substring(0, Math.min(300, body.strip().length()));
    }

    private <T> T read(HttpResponse<String> response, Class<T> type) {
        return parse(response.body(), type);
    }

    private <T> T parse(String text, Class<T> type) {
        try {
            @Nullable T value = JSON.readValue(text, type);
            if (value == null) {
                throw new GatewayException(0, address + " answered nothing.", null);
            }
            return value;
        } catch (JacksonException e) {
            throw new GatewayException(
                    0, address + " answered what this version does not understand. Is it Tsumugi that runs there?", e);
        }
    }

    private static String encodedPath(String id) {
        return Arrays.stream(id.split("/", -1)).map(GatewayClient::encoded).collect(Collectors.joining("/"));
    }

    private static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
    }
}
