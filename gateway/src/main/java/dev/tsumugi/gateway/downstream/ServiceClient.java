package dev.tsumugi.gateway.downstream;

import dev.tsumugi.gateway.errors.BodyTooLargeException;
import dev.tsumugi.gateway.errors.Problems;
import dev.tsumugi.platform.web.Caller;
import dev.tsumugi.platform.web.InternalClients;
import dev.tsumugi.platform.web.ProblemException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpMethod;
import org.springframework.http.HttpStatus;
import org.springframework.http.HttpStatusCode;
import org.springframework.http.MediaType;
import org.springframework.http.StreamingHttpOutputMessage;
import org.springframework.http.client.ClientHttpResponse;
import org.springframework.web.client.ResourceAccessException;
import org.springframework.web.client.RestClient;
import org.springframework.web.util.UriUtils;

/**
 * One service behind the gateway. Calls carry the caller's tenant and principals; nothing else of the caller's headers goes along. What
 * the service refuses comes out as its {@link ProblemException}, except where the fault lies between gateway and service.
 */
public final class ServiceClient {
    private static final Logger log = LoggerFactory.getLogger(ServiceClient.class);
    /** Statuses with which a service says something about the caller's request, not about the gateway's. */
    private static final Set<Integer> CALLERS_FAULT =
            Set.of(400, 403, 404, 409, 410, 413, 415, 422, 429, 501, 503, 507);

    private final String name;
    private final RestClient client;

    ServiceClient(String name, RestClient client) {
        this.name = name;
        this.client = client;
    }

    /** Reads a successful response while it arrives. */
    @FunctionalInterface
    public interface Reader<T> {
        T read(ClientHttpResponse response) throws IOException;
    }

    public <T> T get(String path, Caller caller, Class<T> type) {
        return call(HttpMethod.GET, path, caller, null, type);
    }

    public <T> T post(String path, Caller caller, Object body, Class<T> type) {
        return call(HttpMethod.POST, path, caller, body, type);
    }

    public <T> T delete(String path, Caller caller, Class<T> type) {
        return call(HttpMethod.DELETE, path, caller, null, type);
    }

    private <T> T call(HttpMethod method, String path, Caller caller, @Nullable Object body, Class<T> type) {
        RestClient.RequestBodySpec request =
                client.method(method).uri(uri(path)).headers(caller::writeTo);
        if (body != null) {
            request.contentType(MediaType.APPLICATION_JSON).body(body);
        }
        try {
            T answer = request.retrieve().body(type);
            if (answer == null) {
                throw new ProblemException(
                        HttpStatus.BAD_GATEWAY, "service-error", "The " + name + " service answered without content.");
            }
            return answer;
        } catch (ProblemException e) {
            throw translate(e);
        }
    }

    /** Sends {@code body} as it is read, without a copy of it in memory. */
    public <T> T upload(
            HttpMethod method,
            String path,
            Caller caller,
            Consumer<HttpHeaders> headers,
            StreamingHttpOutputMessage.Body body,
            Class<T> type) {
        CallersBody watched = new CallersBody(body);
        try {
            T answer = client.method(method)
                    .uri(uri(path))
                    .headers(caller::writeTo)
                    .headers(headers)
                    .body(watched)
                    .retrieve()
                    .body(type);
            if (answer == null) {
                throw new ProblemException(
                        HttpStatus.BAD_GATEWAY, "service-error", "The " + name + " service answered without content.");
            }
            return answer;
        } catch (ProblemException e) {
            throw translate(e);
        } catch (ResourceAccessException e) {
            throw watched.explain(e);
        }
    }

    /** Remembers that the caller's own body was at fault: the client reports only that the connection broke. */
    private static final class CallersBody implements StreamingHttpOutputMessage.Body {
        private final StreamingHttpOutputMessage.Body body;
        private volatile @Nullable BodyTooLargeException tooLarge;

        CallersBody(StreamingHttpOutputMessage.Body body) {
            this.body = body;
        }

        @Override
        public void writeTo(OutputStream out) throws IOException {
            try {
                body.writeTo(out);
            } catch (BodyTooLargeException e) {
                tooLarge = e;
                throw e;
            }
        }

        RuntimeException explain(ResourceAccessException e) {
            BodyTooLargeException cause = tooLarge;
            return cause == null ? e : Problems.tooLarge(cause.limit());
        }
    }

    /**
     * For responses that are read while they arrive. The connection is closed, not drained, when {@code reader} leaves early.
     *
     * @param body JSON or {@link StreamingHttpOutputMessage.Body}
     */
    public <T> T exchange(
            HttpMethod method,
            String path,
            Caller caller,
            Consumer<HttpHeaders> headers,
            @Nullable Object body,
            Reader<T> reader,
            Refusal refusal) {
        RestClient.RequestBodySpec request =
                client.method(method).uri(uri(path)).headers(caller::writeTo).headers(headers);
        CallersBody watched = null;
        if (body instanceof StreamingHttpOutputMessage.Body streamed) {
            watched = new CallersBody(streamed);
            request.body(watched);
        } else if (body != null) {
            request.body(body);
        }
        Outcome<T> outcome;
        try {
            outcome = request.exchange((sent, response) -> outcomeOf(response, reader, refusal));
        } catch (ResourceAccessException e) {
            throw watched == null ? e : watched.explain(e);
        }
        if (outcome.problem() != null) {
            throw translate(outcome.problem());
        }
        return outcome.valueOrThrow();
    }

    private static <T> Outcome<T> outcomeOf(ClientHttpResponse response, Reader<T> reader, Refusal refusal)
            throws IOException {
        if (response.getStatusCode().isError()) {
            return new Outcome<T>(null, refusal.of(response));
        }
        try {
            return new Outcome<>(reader.read(response), null);
        } finally {
            // Before the client's own close, which would read the stream to its end first.
            response.getBody().close();
        }
    }

    /** What to make of an error response. */
    @FunctionalInterface
    public interface Refusal {
        /** The problem details of our services. */
        Refusal PROBLEM = InternalClients::problemOf;

        ProblemException of(ClientHttpResponse response) throws IOException;
    }

    private record Outcome<T>(@Nullable T value, @Nullable ProblemException problem) {
        T valueOrThrow() {
            if (value == null) {
                throw new IllegalStateException("a reader must return something");
            }
            return value;
        }
    }

    private ProblemException translate(ProblemException e) {
        HttpStatusCode status = e.getStatusCode();
        if (CALLERS_FAULT.contains(status.value())) {
            return e;
        }
        log.warn("{} service answered {}: {}", name, status.value(), e.getBody().getDetail());
        String detail = status.is5xxServerError() && e.getBody().getDetail() != null
                ? "The " + name + " service failed: " + e.getBody().getDetail()
                : "The " + name + " service does not accept the gateway's calls (status " + status.value()
                        + "). Check that all services have the same TSUMUGI_INTERNAL_TOKEN and version.";
        return new ProblemException(HttpStatus.BAD_GATEWAY, "service-error", detail, e);
    }

    private static URI uri(String path) {
        try {
            return new URI(path);
        } catch (URISyntaxException e) {
            throw ProblemException.badRequest(
                    "malformed-address", "The address or its query holds characters that must be percent-encoded.");
        }
    }

    /** {@code prefix} and then {@code id} with each of its segments encoded; slashes stay. */
    public static String path(String prefix, String id) {
        return Arrays.stream(id.split("/", -1))
                .map(segment -> UriUtils.encode(segment, StandardCharsets.UTF_8))
                .collect(Collectors.joining("/", prefix + "/", ""));
    }
}
