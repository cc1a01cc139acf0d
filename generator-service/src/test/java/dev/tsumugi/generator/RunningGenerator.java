package dev.tsumugi.generator;

import dev.tsumugi.contracts.api.InternalHeaders;
import dev.tsumugi.embedded.EmbeddedKafka;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.awaitility.Awaitility;
import org.springframework.context.ConfigurableApplicationContext;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The service on a free port with a real model and a real broker, ready. */
final class RunningGenerator implements AutoCloseable {
    static final JsonMapper JSON = JsonMapper.shared();
    static final String TOKEN = "a-token-for-tests-only";

    private final HttpClient http = HttpClient.newHttpClient();
    private final ConfigurableApplicationContext service;
    private final String url;

    RunningGenerator(Map<String, Object> properties) {
        Map<String, Object> all = new HashMap<>(properties);
        all.put("server.port", "0");
        all.put("spring.kafka.bootstrap-servers", EmbeddedKafka.shared().bootstrapServers());
        all.put("tsumugi.internal-token", TOKEN);
        service = GeneratorApplication.start(all);
        url = "http://localhost:" + service.getEnvironment().getProperty("local.server.port");
        Awaitility.await()
                .atMost(Duration.ofMinutes(3))
                .until(() -> send(get("/actuator/health/readiness")).statusCode() == 200);
    }

    /** One server-sent event; the name is {@code message} where none was sent. */
    record Event(String name, String data) {
        JsonNode json() {
            return JSON.readTree(data);
        }
    }

    HttpRequest get(String path) {
        return HttpRequest.newBuilder(URI.create(url + path))
                .header(InternalHeaders.TOKEN, TOKEN)
                .build();
    }

    HttpRequest post(String path, String body) {
        return HttpRequest.newBuilder(URI.create(url + path))
                .header(InternalHeaders.TOKEN, TOKEN)
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build();
    }

    HttpRequest post(String path, String tenant, String body) {
        return HttpRequest.newBuilder(post(path, body), (name, value) -> true)
                .header(InternalHeaders.TENANT, tenant)
                .build();
    }

    <T> T bean(Class<T> type) {
        return service.getBean(type);
    }

    HttpResponse<String> send(HttpRequest request) throws IOException, InterruptedException {
        return http.send(request, HttpResponse.BodyHandlers.ofString());
    }

    JsonNode json(int status, HttpRequest request) throws IOException, InterruptedException {
        HttpResponse<String> response = send(request);
        if (response.statusCode() != status) {
            throw new AssertionError("status " + response.statusCode() + ": " + response.body());
        }
        return JSON.readTree(response.body());
    }

    List<Event> events(HttpRequest request) throws IOException, InterruptedException {
        HttpResponse<String> response = send(request);
        if (response.statusCode() != 200
                || !response.headers().firstValue("Content-Type").orElse("").startsWith("text/event-stream")) {
            throw new AssertionError("no event stream: " + response.statusCode() + " " + response.body());
        }
        List<Event> events = new ArrayList<>();
        for (String block : response.body().split("\n\n")) {
            String name = "message";
            String data = null;
            for (String line : block.split("\n")) {
                if (line.startsWith("event: ")) {
                    name = line.substring("event: ".length());
                } else if (line.startsWith("data: ")) {
                    data = line.substring("data: ".length());
                }
            }
            if (data != null) {
                events.add(new Event(name, data));
            }
        }
        return events;
    }

    /** A sample of {@code /actuator/prometheus}. */
    double metric(String name) throws IOException, InterruptedException {
        return send(get("/actuator/prometheus"))
                .body()
                .lines()
                .filter(line -> line.startsWith(name + " ") || line.startsWith(name + "{"))
                .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
                .sum();
    }

    @Override
    public void close() {
        service.close();
    }
}
