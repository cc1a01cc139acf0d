package dev.tsumugi.gateway.training;

import dev.tsumugi.gateway.downstream.ServiceClient;
import dev.tsumugi.gateway.downstream.Services;
import dev.tsumugi.platform.web.Caller;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.InputStream;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpMethod;
import org.springframework.http.StreamingHttpOutputMessage;
import org.springframework.http.client.ClientHttpResponse;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestMethod;
import org.springframework.web.bind.annotation.RestController;

/** Passes training, adapters and feedback to the trainer, bodies streamed both ways. */
@RestController
class TrainerController {
    private static final String PUBLIC_PREFIX = "/api/v1";
    private static final Set<HttpMethod> WITH_BODY = Set.of(HttpMethod.POST, HttpMethod.PUT);

    private final ServiceClient trainer;

    TrainerController(Services services) {
        this.trainer = services.trainer();
    }

    @RequestMapping(
            path = {"/api/v1/training/{*rest}", "/api/v1/adapters/{*rest}"},
            method = {RequestMethod.GET, RequestMethod.POST, RequestMethod.PUT, RequestMethod.DELETE})
    void pass(HttpServletRequest request, HttpServletResponse response, Caller caller) {
        passOn(request, response, caller);
    }

    @RequestMapping(
            path = "/api/v1/feedback",
            method = {RequestMethod.GET, RequestMethod.POST})
    void feedback(HttpServletRequest request, HttpServletResponse response, Caller caller) {
        passOn(request, response, caller);
    }

    @PostMapping({"/api/v1/feedback/{id}/approve", "/api/v1/feedback/{id}/reject"})
    void review(HttpServletRequest request, HttpServletResponse response, Caller caller) {
        passOn(request, response, caller);
    }

    private void passOn(HttpServletRequest request, HttpServletResponse response, Caller caller) {
        HttpMethod method = HttpMethod.valueOf(request.getMethod());
        String query = request.getQueryString() == null ? "" : "?" + request.getQueryString();
        // The firewall has refused every address that is not in normal form.
        String path = "/internal" + request.getRequestURI().substring(PUBLIC_PREFIX.length()) + query;
        trainer.exchange(
                method,
                path,
                caller,
                describe(request),
                WITH_BODY.contains(method) ? content(request) : null,
                answer -> {
                    write(answer, response);
                    return true;
                },
                ServiceClient.Refusal.PROBLEM);
    }

    private static Consumer<HttpHeaders> describe(HttpServletRequest request) {
        return headers -> {
            copy(request.getContentType(), HttpHeaders.CONTENT_TYPE, headers);
            copy(request.getHeader(HttpHeaders.ACCEPT), HttpHeaders.ACCEPT, headers);
            if (request.getContentLengthLong() >= 0) {
                headers.setContentLength(request.getContentLengthLong());
            }
        };
    }

    private static void copy(@Nullable String value, String name, HttpHeaders headers) {
        if (value != null) {
            headers.set(name, value);
        }
    }

    private static StreamingHttpOutputMessage.Body content(HttpServletRequest request) {
        return out -> {
            try (InputStream in = request.getInputStream()) {
                in.transferTo(out);
            }
        };
    }

    private static void write(ClientHttpResponse answer, HttpServletResponse response) throws IOException {
        response.setStatus(answer.getStatusCode().value());
        String type = answer.getHeaders().getFirst(HttpHeaders.CONTENT_TYPE);
        if (type != null) {
            response.setContentType(type);
        }
        byte[] buffer = new byte[8192];
        InputStream body = answer.getBody();
        int read;
        while ((read = body.read(buffer)) >= 0) {
            response.getOutputStream().write(buffer, 0, read);
            // Progress is passed on as it comes.
            response.flushBuffer();
        }
    }
}
