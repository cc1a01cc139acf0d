package dev.tsumugi.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Calls the gateway of a running platform on this machine, in a tenant of the benchmark's own. */
final class PlatformClient {
    static final String TENANT = "bench";
    private static final JsonMapper JSON = JsonMapper.shared();

    private final HttpClient http = HttpClient.newHttpClient();
    private final Path home;
    private final int port;
    private final String key;
    private final String tenant;

    /** @throws BenchException when no platform answers */
    PlatformClient(Path home, int port) {
        this.home = home;
        this.port = port;
        try {
            this.key = Files.readString(home.resolve("admin.key")).strip();
        } catch (IOException e) {
            throw new BenchException(
                    "There is no admin key in " + home + ". Start the platform with ./tsumugi up --detach first.", e);
        }
        this.tenant = TENANT;
        BenchException.require(
                send(request("/actuator/health").GET()).statusCode() == 200,
                "The platform on port " + port + " is not healthy; look at ./tsumugi doctor.");
    }

    private PlatformClient(PlatformClient other, String tenant) {
        this.home = other.home;
        this.port = other.port;
        this.key = other.key;
        this.tenant = tenant;
    }

    /** The same platform, as another tenant. */
    PlatformClient in(String other) {
        return new PlatformClient(this, other);
    }

    Path home() {
        return home;
    }

    int port() {
        return port;
    }

    void put(String id, String text) {
        HttpResponse<String> response = send(request("/api/v1/documents/" + id)
                .header("Content-Type", "text/plain; charset=utf-8")
                .PUT(HttpRequest.BodyPublishers.ofString(text)));
        expect(response, 202);
    }

    void delete(String id) {
        send(request("/api/v1/documents/" + id).DELETE());
    }

    JsonNode document(String id) {
        return JSON.readTree(expect(send(request("/api/v1/documents/" + id).GET()), 200));
    }

    JsonNode search(String query, String mode, int limit) {
        String body = JSON.writeValueAsString(Map.of("query", query, "mode", mode, "limit", limit));
        return JSON.readTree(expect(send(json("/api/v1/search", body)), 200));
    }

    /** Vector of a question, as the index sees it. */
    float[] embedQuery(String text) {
        String body = JSON.writeValueAsString(Map.of("model", embeddingModel(), "input", text, "input_type", "query"));
        JsonNode vector = JSON.readTree(expect(send(json("/v1/embeddings", body)), 200))
                .get("data")
                .get(0)
                .get("embedding");
        float[] values = new float[vector.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = vector.get(i).floatValue();
        }
        return values;
    }

    /** The gateway lists the one embedding model behind all language models. */
    private String embeddingModel() {
        JsonNode models =
                JSON.readTree(expect(send(request("/v1/models").GET()), 200)).get("data");
        return models.get(models.size() - 1).get("id").stringValue();
    }

    /** @param firstTokenMillis from sending the question to the first piece of the answer; negative when there was none */
    record TimedAnswer(double firstTokenMillis, double totalMillis, JsonNode done) {}

    TimedAnswer ask(String question, int limit) {
        String body = JSON.writeValueAsString(Map.of("question", question, "limit", limit, "stream", true));
        long start = System.nanoTime();
        double first = -1;
        try {
            HttpResponse<InputStream> response =
                    http.send(json("/api/v1/ask", body).build(), HttpResponse.BodyHandlers.ofInputStream());
            BenchException.require(response.statusCode() == 200, "ask answered " + response.statusCode());
            try (BufferedReader lines =
                    new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8))) {
                List<String> seen = new ArrayList<>();
                String line;
                while ((line = lines.readLine()) != null) {
                    if (!line.startsWith("data:")) {
                        continue;
                    }
                    seen.add(line);
                    JsonNode event = JSON.readTree(line.substring("data:".length()));
                    if (event.hasNonNull("delta") && first < 0) {
                        first = millisSince(start);
                    }
                    if (event.hasNonNull("done")) {
                        return new TimedAnswer(first, millisSince(start), event.get("done"));
                    }
                }
                throw new BenchException("the answer ended without a done event: " + seen);
            }
        } catch (IOException e) {
            throw unreachable(e);
        } catch (InterruptedException e) {
            throw interrupted(e);
        }
    }

    private static double millisSince(long start) {
        return (System.nanoTime() - start) / 1e6;
    }

    private HttpRequest.Builder json(String path, String body) {
        return request(path).header("Content-Type", "application/json").POST(HttpRequest.BodyPublishers.ofString(body));
    }

    private HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create("http://localhost:" + port + path))
                .timeout(Duration.ofMinutes(2))
                .header("Authorization", "Bearer " + key)
                .header("X-Tsumugi-Tenant", tenant);
    }

    private HttpResponse<String> send(HttpRequest.Builder request) {
        try {
            return http.send(request.build(), HttpResponse.BodyHandlers.ofString());
        } catch (IOException e) {
            throw unreachable(e);
        } catch (InterruptedException e) {
            throw interrupted(e);
        }
    }

    private static String expect(HttpResponse<String> response, int status) {
        BenchException.require(
                response.statusCode() == status,
                response.request().uri() + " answered " + response.statusCode() + ": " + response.body());
        return response.body();
    }

    private BenchException unreachable(@Nullable IOException cause) {
        String message = "No platform answers on port " + port + ". Start it with ./tsumugi up --detach first.";
        return cause == null ? new BenchException(message) : new BenchException(message, cause);
    }

    private static BenchException interrupted(InterruptedException cause) {
        Thread.currentThread().interrupt();
        return new BenchException("interrupted", cause);
    }
}
