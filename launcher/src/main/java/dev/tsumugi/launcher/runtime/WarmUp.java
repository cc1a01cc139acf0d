package dev.tsumugi.launcher.runtime;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.json.JsonMapper;

/**
 * Real searches of the default tenant before the platform says that it is ready: the first users would else wait while classes are loaded,
 * code is interpreted and the index comes from the disk. They read only, and their number hangs on the time they take.
 */
final class WarmUp {
    private static final Logger log = LoggerFactory.getLogger(WarmUp.class);
    private static final int MOST_SEARCHES = 100;
    /** Both analyzers of words; the number that follows keeps a vector from being remembered. */
    private static final List<String> QUESTIONS =
            List.of("How are documents searched, and what does a passage tell? ", "文書はどのように検索されますか。");

    private final URI address;
    private final String key;
    private final Duration limit;

    WarmUp(int gatewayPort, String key, Duration limit) {
        address = URI.create("http://127.0.0.1:" + gatewayPort + "/api/v1/search");
        this.key = key;
        this.limit = limit;
    }

    /** Never fails: what is wrong will show when somebody asks. */
    void search() {
        long end = System.nanoTime() + limit.toNanos();
        try (HttpClient http = HttpClient.newHttpClient()) {
            for (int i = 0; i < MOST_SEARCHES && System.nanoTime() < end; i++) {
                HttpResponse<String> response =
                        http.send(request(QUESTIONS.get(i % QUESTIONS.size()) + i), BodyHandlers.ofString());
                if (response.statusCode() != 200) {
                    log.warn(
                            "a search before the first user's was answered {}: {}",
                            response.statusCode(),
                            response.body());
                    return;
                }
            }
        } catch (IOException e) {
            log.warn("a search before the first user's failed: {}", e.toString());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private HttpRequest request(String question) {
        return HttpRequest.newBuilder(address)
                .timeout(Duration.ofSeconds(5))
                .header("Authorization", "Bearer " + key)
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.ofString(JsonMapper.shared().writeValueAsString(Map.of("query", question))))
                .build();
    }
}
