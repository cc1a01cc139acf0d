package dev.tsumugi.gateway.openai;

import dev.tsumugi.gateway.downstream.AnswerSlots;
import dev.tsumugi.gateway.downstream.EventStreamRelay;
import dev.tsumugi.gateway.downstream.ServiceClient;
import dev.tsumugi.gateway.downstream.Services;
import dev.tsumugi.gateway.errors.OpenAiError;
import dev.tsumugi.gateway.errors.Problems;
import dev.tsumugi.platform.web.Caller;
import dev.tsumugi.platform.web.CallersConnection;
import dev.tsumugi.platform.web.InternalClients;
import dev.tsumugi.platform.web.ProblemException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.List;
import org.springframework.http.HttpMethod;
import org.springframework.http.MediaType;
import org.springframework.http.client.ClientHttpResponse;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Chat and text completions: the generator speaks OpenAI's bodies, the gateway passes them through. A caller who leaves cancels his. */
@RestController
class CompletionsController {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final String BROKEN_OFF = "data: "
            + JSON.writeValueAsString(
                    OpenAiError.server("The answer broke off because the generator stopped. Ask again."))
            + "\n\n";

    private final ServiceClient generator;
    private final AnswerSlots slots;
    private final EventStreamRelay relay;

    CompletionsController(Services services, AnswerSlots slots, EventStreamRelay relay) {
        this.generator = services.generator();
        this.slots = slots;
        this.relay = relay;
    }

    @PostMapping(path = "/v1/chat/completions", consumes = MediaType.APPLICATION_JSON_VALUE)
    void chat(@RequestBody JsonNode body, Caller caller, HttpServletRequest request, HttpServletResponse response)
            throws IOException {
        passThrough("/internal/chat/completions", body, caller, request, response);
    }

    @PostMapping(path = "/v1/completions", consumes = MediaType.APPLICATION_JSON_VALUE)
    void text(@RequestBody JsonNode body, Caller caller, HttpServletRequest request, HttpServletResponse response)
            throws IOException {
        passThrough("/internal/completions", body, caller, request, response);
    }

    private void passThrough(
            String path, JsonNode body, Caller caller, HttpServletRequest request, HttpServletResponse response)
            throws IOException {
        if (!body.isObject()) {
            throw Problems.badRequest("malformed-json", "The body must be a JSON object.");
        }
        try (AnswerSlots.Slot _ = slots.take()) {
            if (body.path("stream").asBoolean(false)) {
                exchange(path, body, caller, answer -> {
                    relay.relay(answer.getBody(), response, BROKEN_OFF);
                    return true;
                });
                return;
            }
            byte[] whole = CallersConnection.of(request)
                    .whilePresent(() -> exchange(
                            path, body, caller, answer -> answer.getBody().readAllBytes()));
            response.setContentType(MediaType.APPLICATION_JSON_VALUE);
            response.setContentLength(whole.length);
            response.getOutputStream().write(whole);
        }
    }

    private <T> T exchange(String path, JsonNode body, Caller caller, ServiceClient.Reader<T> reader) {
        return generator.exchange(
                HttpMethod.POST,
                path,
                caller,
                headers -> {
                    headers.setContentType(MediaType.APPLICATION_JSON);
                    headers.setAccept(List.of(MediaType.APPLICATION_JSON, MediaType.TEXT_EVENT_STREAM));
                },
                JSON.writeValueAsBytes(body),
                reader,
                CompletionsController::refusal);
    }

    /** The generator may answer with a problem detail or with OpenAI's error; both say the same. */
    private static ProblemException refusal(ClientHttpResponse response) throws IOException {
        MediaType type = response.getHeaders().getContentType();
        if (type == null || !type.equalsTypeAndSubtype(MediaType.APPLICATION_JSON)) {
            return InternalClients.problemOf(response);
        }
        JsonNode error = JSON.readTree(response.getBody().readNBytes(64 * 1024)).path("error");
        String kind = error.path("code").asString("service-error").replace('_', '-');
        ProblemException problem = new ProblemException(
                response.getStatusCode(), kind, error.path("message").asString("The generator refused the request."));
        if (error.path("param").isString()) {
            problem.getBody().setProperty(Problems.FIELD, error.path("param").asString());
        }
        return problem;
    }
}
