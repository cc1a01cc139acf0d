package dev.tsumugi.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import dev.tsumugi.contracts.api.EmbedResponse;
import dev.tsumugi.contracts.api.InternalHeaders;
import dev.tsumugi.embedded.EmbeddedKafka;
import dev.tsumugi.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Executors;
import org.springframework.context.ConfigurableApplicationContext;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A trainer with a real model and a real broker, between stand-ins for generator and retriever. */
final class RunningTrainer implements AutoCloseable {
    static final JsonMapper JSON = JsonMapper.shared();
    private static final String TOKEN = "a-token-for-tests-only";

    private final HttpClient http = HttpClient.newHttpClient();
    private final ConfigurableApplicationContext service;
    private final String url;

    /** @param database a JDBC address; trainers on the same one form a cluster */
    RunningTrainer(String database, Path folder, Map<String, Object> properties) {
        EmbeddedPostgres postgres = EmbeddedPostgres.shared();
        Map<String, Object> all = new HashMap<>();
        all.put("server.port", "0");
        all.put("spring.datasource.url", database);
        all.put("spring.datasource.username", postgres.username());
        all.put("spring.datasource.password", postgres.password());
        all.put("spring.kafka.bootstrap-servers", EmbeddedKafka.shared().bootstrapServers());
        all.put("tsumugi.internal-token", TOKEN);
        all.put(
                "tsumugi.trainer.model",
                Path.of("../engine/src/test/resources/golden/tiny-llama")
                        .toAbsolutePath()
                        .normalize());
        all.put("tsumugi.trainer.threads", "1");
        all.put("tsumugi.trainer.work", folder.resolve("work"));
        all.put("tsumugi.trainer.adapters.store", folder.resolve("adapters"));
        all.put("tsumugi.trainer.longest-pause", "200ms");
        all.put("tsumugi.trainer.polling", "200ms");
        all.put("tsumugi.trainer.heartbeat", "1s");
        all.putAll(properties);
        service = TrainerApplication.start(all);
        url = "http://localhost:" + service.getEnvironment().getProperty("local.server.port");
    }

    JsonNode get(String path, String tenant) throws Exception {
        return json(200, call("GET", path, tenant, null));
    }

    JsonNode post(int status, String path, String tenant, Object body) throws Exception {
        return json(
                status,
                call(
                        "POST",
                        path,
                        tenant,
                        body == null || body instanceof String ? (String) body : JSON.writeValueAsString(body)));
    }

    HttpResponse<String> call(String method, String path, String tenant, String body)
            throws IOException, InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url + path))
                .header(InternalHeaders.TOKEN, TOKEN)
                .header(InternalHeaders.TENANT, tenant)
                .header(InternalHeaders.PRINCIPALS, "*")
                .header("Content-Type", "application/json")
                .method(
                        method,
                        body == null ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(body));
        return http.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    static JsonNode json(int status, HttpResponse<String> response) {
        assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
        return JSON.readTree(response.body());
    }

    @Override
    public void close() {
        service.close();
    }

    /** Says that it is busy, or not, and finds one passage for every question. */
    static final class StandIns implements AutoCloseable {
        private final HttpServer server;
        volatile int running;
        volatile int looks;
        volatile int searches;
        volatile Runnable beforeSearch = () -> {};

        /** @param passage a search response */
        StandIns(String passage) throws IOException {
            server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
            server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
            server.createContext("/", exchange -> {
                byte[] request = exchange.getRequestBody().readAllBytes();
                boolean search = exchange.getRequestURI().getPath().equals("/internal/search");
                if (search) {
                    beforeSearch.run();
                    searches++;
                } else {
                    looks++;
                }
                String body = exchange.getRequestURI().getPath().equals("/internal/embed")
                        ? vectors(JSON.readTree(request))
                        : search ? passage : "{\"running\": " + running + ", \"waiting\": 0}";
                byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
                exchange.getResponseHeaders().set("Content-Type", "application/json");
                exchange.sendResponseHeaders(200, bytes.length);
                exchange.getResponseBody().write(bytes);
                exchange.close();
            });
            server.start();
        }

        /** Of each text one that follows from its words, unit length. */
        private static String vectors(JsonNode request) {
            List<float[]> vectors = new ArrayList<>();
            for (JsonNode text : request.get("texts")) {
                Random random =
                        new Random(text.stringValue().replaceAll("\\D", "").hashCode());
                float[] vector = new float[16];
                double square = 0;
                for (int i = 0; i < vector.length; i++) {
                    vector[i] = (float) random.nextGaussian();
                    square += vector[i] * vector[i];
                }
                for (int i = 0; i < vector.length; i++) {
                    vector[i] /= (float) Math.sqrt(square);
                }
                vectors.add(vector);
            }
            return JSON.writeValueAsString(new EmbedResponse("words", "words-1", vectors, 1, null));
        }

        String url() {
            return "http://127.0.0.1:" + server.getAddress().getPort();
        }

        @Override
        public void close() {
            server.stop(0);
        }
    }
}
