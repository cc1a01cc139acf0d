package dev.tsumugi.platform.web;

import dev.tsumugi.contracts.api.InternalHeaders;
import java.io.IOException;
import java.net.http.HttpClient;
import java.time.Duration;
import java.util.concurrent.Executors;
import org.springframework.http.HttpStatusCode;
import org.springframework.http.ProblemDetail;
import org.springframework.http.client.ClientHttpResponse;
import org.springframework.http.client.JdkClientHttpRequestFactory;
import org.springframework.web.client.RestClient;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * HTTP clients for calls to other services of the deployment. They carry the internal token, and an error answer comes out as a
 * {@link ProblemException} with the status and kind that the other service gave; no answer at all as
 * {@link org.springframework.web.client.ResourceAccessException}.
 */
public final class InternalClients {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final int MAX_PROBLEM_BYTES = 64 * 1024;

    private final String token;
    private final HttpClient http = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            // A call passes through several threads; a platform thread made for each would cost a search about half a
            // millisecond a call.
            .executor(Executors.newVirtualThreadPerTaskExecutor())
            .connectTimeout(Duration.ofSeconds(2))
            .build();

    public InternalClients(String token) {
        this.token = token;
    }

    /** @param readTimeout until the answer's headers are there */
    public RestClient client(String baseUrl, Duration readTimeout) {
        JdkClientHttpRequestFactory requests = new JdkClientHttpRequestFactory(http);
        requests.setReadTimeout(readTimeout);
        return RestClient.builder()
                .baseUrl(baseUrl)
                .requestFactory(requests)
                .defaultHeader(InternalHeaders.TOKEN, token)
                .defaultStatusHandler(HttpStatusCode::isError, (request, response) -> {
                    throw problemOf(response);
                })
                .build();
    }

    /** Also for code that reads the response itself ({@code exchange}). */
    public static ProblemException problemOf(ClientHttpResponse response) throws IOException {
        byte[] body = response.getBody().readNBytes(MAX_PROBLEM_BYTES);
        HttpStatusCode status = response.getStatusCode();
        try {
            ProblemDetail problem = JSON.readValue(body, ProblemDetail.class);
            if (problem != null && problem.getDetail() != null) {
                String type =
                        problem.getType() == null ? null : problem.getType().toString();
                return new ProblemException(status, ProblemException.kindOf(type), problem.getDetail());
            }
        } catch (JacksonException e) {
            return new ProblemException(
                    status, "service-error", "A service answered with status " + status.value() + ".", e);
        }
        return new ProblemException(status, "service-error", "A service answered with status " + status.value() + ".");
    }
}
