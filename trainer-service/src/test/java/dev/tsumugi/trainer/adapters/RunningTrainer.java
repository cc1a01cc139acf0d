package dev.tsumugi.trainer.adapters;

import com.sun.net.httpserver.HttpServer;
import dev.tsumugi.contracts.api.InternalHeaders;
import dev.tsumugi.embedded.EmbeddedKafka;
import dev.tsumugi.embedded.EmbeddedPostgres;
import dev.tsumugi.trainer.TrainerApplication;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.util.FileSystemUtils;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The service with a real database and broker, and a stand-in for the generator, which finds adapters usable unless told otherwise. */
final class RunningTrainer implements AutoCloseable {
    static final JsonMapper JSON = JsonMapper.shared();
    static final Path R8 = Path.of("src/test/resources/lora/llama-r8");
    static final Path R4 = Path.of("src/test/resources/lora/llama-r4-rslora");
    static final String BASE = "b".repeat(64);
    private static final String TOKEN = "a-token-for-tests-only";

    final Path store;
    /** Digests that the generator refuses, and why. */
    final Map<String, String> refusals = new HashMap<>();

    private final HttpServer generator;
    private final ConfigurableApplicationContext service;
    private final HttpClient http = HttpClient.newHttpClient();
    private final String url;

    RunningTrainer(String database) throws IOException {
        store = Files.createTempDirectory("tsumugi-adapter-store");
        generator = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        generator.createContext("/internal/adapters/", exchange -> {
            String digest = exchange.getRequestURI().getPath().split("/")[3];
            String refusal = refusals.get(digest);
            byte[] body = (refusal == null
                            ? "{\"digest\":\"" + digest + "\",\"baseDigest\":\"" + BASE + "\",\"rank\":8,\"layers\":4}"
                            : "{\"type\":\"urn:tsumugi:problem:adapter-refused\",\"status\":400,\"detail\":\"" + refusal
                                    + "\"}")
                    .getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().add("Content-Type", "application/json");
            exchange.sendResponseHeaders(refusal == null ? 200 : 400, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        generator.start();
        EmbeddedPostgres postgres = EmbeddedPostgres.shared();
        service = TrainerApplication.start(Map.of(
                "server.port",
                "0",
                "spring.datasource.url",
                postgres.createDatabase(database),
                "spring.datasource.username",
                postgres.username(),
                "spring.datasource.password",
                postgres.password(),
                "spring.kafka.bootstrap-servers",
                EmbeddedKafka.shared().bootstrapServers(),
                "tsumugi.internal-token",
                TOKEN,
                "tsumugi.trainer.adapters.store",
                store,
                "tsumugi.trainer.adapters.max-size",
                "1MB",
                "tsumugi.trainer.adapters.generator-urls",
                "http://127.0.0.1:" + generator.getAddress().getPort()));
        url = "http://localhost:" + service.getEnvironment().getProperty("local.server.port");
    }

    <T> T bean(Class<T> type) {
        return service.getBean(type);
    }

    HttpResponse<byte[]> call(String method, String path, String tenant, byte[] body)
            throws IOException, InterruptedException {
        return call(method, path, tenant, "", body);
    }

    /** @param principals {@code *}: an administrator */
    private HttpResponse<byte[]> call(String method, String path, String tenant, String principals, byte[] body)
            throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url + path))
                .header(InternalHeaders.TOKEN, TOKEN)
                .header(InternalHeaders.TENANT, tenant)
                .header(InternalHeaders.PRINCIPALS, principals)
                .header("Content-Type", body.length > 1 && body[0] == 'P' ? "application/zip" : "application/json")
                .method(
                        method,
                        body.length == 0
                                ? HttpRequest.BodyPublishers.noBody()
                                : HttpRequest.BodyPublishers.ofByteArray(body))
                .build();
        return http.send(request, HttpResponse.BodyHandlers.ofByteArray());
    }

    JsonNode json(int status, String method, String path, String tenant, byte[] body)
            throws IOException, InterruptedException {
        return json(status, call(method, path, tenant, body));
    }

    JsonNode asAdministrator(String method, String path, String tenant) throws IOException, InterruptedException {
        return json(200, call(method, path, tenant, "*", new byte[0]));
    }

    private static JsonNode json(int status, HttpResponse<byte[]> response) {
        if (response.statusCode() != status) {
            throw new AssertionError(
                    "status " + response.statusCode() + ": " + new String(response.body(), StandardCharsets.UTF_8));
        }
        return JSON.readTree(response.body());
    }

    JsonNode json(int status, String method, String path, String tenant, String body)
            throws IOException, InterruptedException {
        return json(status, method, path, tenant, body.getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public void close() throws IOException {
        service.close();
        generator.stop(0);
        FileSystemUtils.deleteRecursively(store);
    }
}
