package dev.tsumugi.launcher.runtime;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Waits until the generator has its model: it answers calls before that, and refuses questions. */
final class Readiness {
    private static final Duration LIMIT = Duration.ofMinutes(15);
    private static final Duration BETWEEN_LOOKS = Duration.ofMillis(100);

    private final URI address;
    private final HttpClient http = HttpClient.newHttpClient();

    Readiness(int port) {
        address = URI.create("http://127.0.0.1:" + port + "/actuator/health/readiness");
    }

    /** @throws LaunchException when the model cannot be loaded, or takes longer than any model should */
    void awaitModel() {
        HttpRequest request =
                HttpRequest.newBuilder(address).timeout(Duration.ofSeconds(30)).build();
        long deadline = System.nanoTime() + LIMIT.toNanos();
        try {
            while (System.nanoTime() < deadline) {
                HttpResponse<String> response = http.send(request, BodyHandlers.ofString());
                if (response.statusCode() == 200) {
                    return;
                }
                refuseFailure(response.body());
                LockSupport.parkNanos(BETWEEN_LOOKS.toNanos());
            }
            throw new LaunchException("The language model was not loaded after " + LIMIT.toMinutes() + " minutes.");
        } catch (IOException e) {
            throw new LaunchException("The generator does not say whether its model is loaded: " + e, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new LaunchException("Interrupted while the language model was loaded.", e);
        }
    }

    private static void refuseFailure(String body) {
        try {
            JsonNode model =
                    JsonMapper.shared().readTree(body).path("components").path("model");
            if (model.path("status").asString("").equals("DOWN")) {
                throw new LaunchException("The language model could not be loaded: "
                        + model.path("details").path("reason").asString("see services.log")
                        + ". Check TSUMUGI_MODEL, or unset it for the default model.");
            }
        } catch (JacksonException e) {
            // not its health yet: asked again
        }
    }
}
