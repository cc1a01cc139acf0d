package dev.tsumugi.gateway;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.springframework.boot.web.server.servlet.context.ServletWebServerApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** One gateway for all tests of the module, started at its first use, and the services that it calls. */
final class RunningGateway {
    static final String KEY = "test-key-of-the-administrator";
    static final String INTERNAL_TOKEN = "token-between-services";
    private static final JsonMapper JSON = JsonMapper.shared();

    final StandInService ingest = new StandInService();
    final StandInService embed = new StandInService();
    final StandInService retriever = new StandInService();
    final StandInService generator = new StandInService();
    final StandInService trainer = new StandInService();
    final ConfigurableApplicationContext context;
    final String url;
    final HttpClient http =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    private static final class Holder {
        static final RunningGateway SHARED = new RunningGateway();
    }

    static RunningGateway shared() {
        RunningGateway gateway = Holder.SHARED;
        for (StandInService service : new StandInService[] {
            gateway.ingest, gateway.embed, gateway.retriever, gateway.generator, gateway.trainer
        }) {
            service.forget();
        }
        return gateway;
    }

    private RunningGateway() {
        Map<String, Object> properties = new HashMap<>();
        properties.put("server.port", "0");
        properties.put("tsumugi.internal-token", INTERNAL_TOKEN);
        properties.put("tsumugi.gateway.admin-key-file", keyFile());
        properties.put("tsumugi.gateway.ingest-url", ingest.url());
        properties.put("tsumugi.gateway.embed-url", embed.url());
        properties.put("tsumugi.gateway.retriever-url", retriever.url());
        properties.put("tsumugi.gateway.generator-url", generator.url());
        properties.put("tsumugi.gateway.trainer-url", trainer.url());
        properties.put("tsumugi.gateway.max-upload", "64MB");
        properties.put("tsumugi.gateway.max-upload-request", "128MB");
        properties.put("tsumugi.gateway.max-body", "64KB");
        properties.put("tsumugi.gateway.max-concurrent-answers", "2");
        properties.put("tsumugi.gateway.heartbeat", "200ms");
        context = GatewayApplication.start(properties);
        url = "http://127.0.0.1:"
                + ((ServletWebServerApplicationContext) context).getWebServer().getPort();
    }

    private static Path keyFile() {
        try {
            Path file = Files.createTempFile("admin", ".key");
            file.toFile().deleteOnExit();
            return Files.writeString(file, KEY + "\n");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A request with the key. */
    HttpRequest.Builder request(String path) {
        return anonymous(path).header("Authorization", "Bearer " + KEY);
    }

    HttpRequest.Builder anonymous(String path) {
        return HttpRequest.newBuilder(URI.create(url + path));
    }

    HttpResponse<String> get(String path) throws Exception {
        return send(request(path));
    }

    HttpResponse<String> post(String path, String json) throws Exception {
        return send(request(path)
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(json)));
    }

    HttpResponse<String> send(HttpRequest.Builder request) throws Exception {
        return http.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    static JsonNode json(HttpResponse<String> response) {
        return JSON.readTree(response.body());
    }
}
