package dev.tsumugi.engine.files;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;

/**
 * HTTP to a Hugging Face hub. Redirects (large files lie on other hosts) are followed here, because the token must not travel to another
 * host, nor a request from HTTPS to HTTP.
 */
final class HubClient {
    private static final int MAX_REDIRECTS = 5;
    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(20);
    /** Until the headers of the answer are there. */
    private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(60);

    private final URI hub;
    private final String token;
    private final Duration pause;
    private final HttpClient http = HttpClient.newBuilder()
            .connectTimeout(CONNECT_TIMEOUT)
            .followRedirects(HttpClient.Redirect.NEVER)
            .build();

    /**
     * @param token empty where none is needed; never logged
     * @param pause before the second attempt; doubles with each
     */
    HubClient(URI hub, String token, Duration pause) {
        this.hub = hub;
        this.token = token;
        this.pause = pause;
    }

    URI hub() {
        return hub;
    }

    Duration pause() {
        return pause;
    }

    /** An answer whose body is still to be read. */
    record Answer(int status, HttpHeaders headers, InputStream body) implements AutoCloseable {
        @Override
        public void close() throws IOException {
            body.close();
        }

        Optional<String> header(String name) {
            return headers.firstValue(name);
        }
    }

    /**
     * GET {@code path} on the hub.
     *
     * @param from first byte that is wanted; 0: all
     * @throws IOException for a broken connection, a time-out, or redirects that lead nowhere
     */
    Answer get(String path, long from) throws IOException, InterruptedException {
        URI uri = hub.resolve(path);
        for (int hop = 0; hop <= MAX_REDIRECTS; hop++) {
            HttpRequest.Builder request = HttpRequest.newBuilder(uri)
                    .timeout(ANSWER_TIMEOUT)
                    .header("User-Agent", "tsumugi")
                    .GET();
            if (from > 0) {
                request.header("Range", "bytes=" + from + "-");
            }
            if (!token.isEmpty() && sameOrigin(uri, hub)) {
                request.header("Authorization", "Bearer " + token);
            }
            HttpResponse<InputStream> response = http.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
            int status = response.statusCode();
            if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308) {
                return new Answer(status, response.headers(), response.body());
            }
            response.body().close();
            uri = target(uri, response.headers().firstValue("location").orElse(""));
        }
        throw new IOException("more than " + MAX_REDIRECTS + " redirects");
    }

    private static URI target(URI from, String location) throws IOException {
        URI to;
        try {
            to = from.resolve(location);
        } catch (IllegalArgumentException e) {
            throw new IOException("redirect to something that is no address", e);
        }
        boolean secure = Objects.equals(to.getScheme(), "https");
        if (location.isEmpty() || !secure && !Objects.equals(to.getScheme(), from.getScheme())) {
            throw new IOException("redirect from " + from.getScheme() + " to " + to.getScheme() + " is not followed");
        }
        return to;
    }

    private static boolean sameOrigin(URI a, URI b) {
        return Objects.equals(a.getScheme(), b.getScheme())
                && Objects.equals(a.getHost(), b.getHost())
                && a.getPort() == b.getPort();
    }
}
