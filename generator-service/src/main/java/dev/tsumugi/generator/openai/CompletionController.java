package dev.tsumugi.generator.openai;

import dev.tsumugi.contracts.api.InternalHeaders;
import dev.tsumugi.engine.serve.FinishReason;
import dev.tsumugi.engine.serve.GenerationException;
import dev.tsumugi.engine.serve.GenerationResult;
import dev.tsumugi.engine.serve.PromptTooLongException;
import dev.tsumugi.engine.serve.QueueFullException;
import dev.tsumugi.generator.model.EventStream;
import dev.tsumugi.generator.model.ModelHost;
import dev.tsumugi.generator.model.ServedModel;
import dev.tsumugi.generator.model.TokenStream;
import dev.tsumugi.platform.web.CallersConnection;
import dev.tsumugi.platform.web.ProblemException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.http.converter.HttpMessageNotReadableException;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestHeader;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Chat and text completions, and the list of models, as OpenAI clients expect them. A client who leaves cancels what it asked for. */
@RestController
@RequestMapping("/internal")
class CompletionController {
    private static final Logger log = LoggerFactory.getLogger(CompletionController.class);
    private static final Duration HEARTBEAT = Duration.ofMillis(500);

    private final ModelHost host;
    private final JsonMapper json;

    CompletionController(ModelHost host, JsonMapper json) {
        this.host = host;
        this.json = json;
    }

    @PostMapping("/chat/completions")
    void chat(
            @RequestBody JsonNode body,
            @RequestHeader(name = InternalHeaders.TENANT, defaultValue = "") String tenant,
            HttpServletRequest caller,
            HttpServletResponse response)
            throws IOException {
        try (ServedModel served = called(body, tenant)) {
            answer(true, CompletionRequest.chat(body, served, host.timeout(), tenant), served, caller, response);
        }
    }

    @PostMapping("/completions")
    void text(
            @RequestBody JsonNode body,
            @RequestHeader(name = InternalHeaders.TENANT, defaultValue = "") String tenant,
            HttpServletRequest caller,
            HttpServletResponse response)
            throws IOException {
        try (ServedModel served = called(body, tenant)) {
            answer(false, CompletionRequest.text(body, served, host.timeout(), tenant), served, caller, response);
        }
    }

    /** The model, or its adapter of the name that is asked for. */
    private ServedModel called(JsonNode body, String tenant) {
        return host.require().called(tenant, body.path("model").asString(""), body.toString());
    }

    @GetMapping("/models")
    Map<String, Object> models(@RequestHeader(name = InternalHeaders.TENANT, defaultValue = "") String tenant) {
        ServedModel served = host.require();
        return Map.of(
                "object",
                "list",
                "data",
                Stream.concat(Stream.of(served.name()), served.adapters().visibleTo(tenant).stream())
                        .map(name -> model(name, served))
                        .toList());
    }

    private static Map<String, Object> model(String name, ServedModel served) {
        return Map.of("id", name, "object", "model", "created", served.since().getEpochSecond(), "owned_by", "tsumugi");
    }

    private void answer(
            boolean chat,
            CompletionRequest request,
            ServedModel served,
            HttpServletRequest caller,
            HttpServletResponse response)
            throws IOException {
        String id =
                (chat ? "chatcmpl-" : "cmpl-") + UUID.randomUUID().toString().replace("-", "");
        CompletionShape shape = new CompletionShape(
                chat,
                id,
                served.name(),
                served.adapterDigest(),
                Instant.now().getEpochSecond(),
                served.model().tokenizer(),
                request.includeUsage());
        try (TokenStream tokens = TokenStream.of(served.engine(), request.generations())) {
            if (request.stream()) {
                stream(chat, request, served, shape, tokens, new EventStream(response));
            } else {
                Map<String, @Nullable Object> body = CallersConnection.of(caller)
                        .whilePresent(tokens::close, () -> whole(request, served, shape, tokens));
                response.setContentType(MediaType.APPLICATION_JSON_VALUE);
                response.getOutputStream().write(json.writeValueAsBytes(body));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (CallersConnection.GoneException e) {
            log.debug("a caller left before its completion was finished");
        }
    }

    private static Map<String, @Nullable Object> whole(
            CompletionRequest request, ServedModel served, CompletionShape shape, TokenStream tokens)
            throws InterruptedException {
        @Nullable
        GenerationResult[] results = new GenerationResult[request.generations().size()];
        int open = results.length;
        while (open > 0) {
            TokenStream.Event event = tokens.next(HEARTBEAT);
            if (event instanceof TokenStream.Finished finished) {
                results[finished.index()] = complete(finished.result());
                open--;
            } else if (event instanceof TokenStream.Failed failed) {
                served.failed();
                throw failed.failure();
            }
        }
        List<GenerationResult> all = new ArrayList<>();
        for (GenerationResult result : results) {
            if (result != null) {
                all.add(result);
            }
        }
        return shape.whole(
                all, request.echoes(), request.logprobs(), CompletionShape.usageOf(request.promptTokens(), all));
    }

    private void stream(
            boolean chat,
            CompletionRequest request,
            ServedModel served,
            CompletionShape shape,
            TokenStream tokens,
            EventStream events)
            throws IOException, InterruptedException {
        int open = request.generations().size();
        int[] offsets = new int[open];
        if (chat) {
            for (int i = 0; i < open; i++) {
                send(events, shape.begin(i));
            }
        }
        for (int i = 0; i < open; i++) {
            if (!request.echoes().get(i).isEmpty()) {
                send(events, shape.piece(i, request.echoes().get(i), null, 0));
            }
        }
        List<GenerationResult> results = new ArrayList<>();
        try {
            while (results.size() < open) {
                TokenStream.Event event = tokens.next(HEARTBEAT);
                if (event == null) {
                    events.heartbeat();
                } else if (event instanceof TokenStream.Piece piece) {
                    send(
                            events,
                            shape.piece(
                                    piece.index(),
                                    piece.text(),
                                    request.logprobs() ? piece.logprobs() : null,
                                    offsets[piece.index()]));
                    offsets[piece.index()] += piece.text().length();
                } else if (event instanceof TokenStream.Finished finished) {
                    results.add(complete(finished.result()));
                    send(events, shape.end(finished.index(), finished.result().finishReason()));
                } else if (event instanceof TokenStream.Failed failed) {
                    served.failed();
                    throw failed.failure();
                }
            }
            if (request.includeUsage()) {
                send(events, shape.usage(CompletionShape.usageOf(request.promptTokens(), results)));
            }
            events.send(null, "[DONE]");
        } catch (OpenAiException e) {
            events.send(null, json.writeValueAsString(e.body()));
        } catch (GenerationException e) {
            events.send(null, json.writeValueAsString(failed(e).body()));
        }
    }

    private void send(EventStream events, Map<String, @Nullable Object> chunk) throws IOException {
        events.send(null, json.writeValueAsString(chunk));
    }

    private static GenerationResult complete(GenerationResult result) {
        if (result.finishReason() == FinishReason.DEADLINE) {
            throw new OpenAiException(
                    HttpStatus.GATEWAY_TIMEOUT,
                    "The answer was not finished in time. Ask for fewer tokens, or when there is less load.",
                    null,
                    "timeout");
        }
        return result;
    }

    private static OpenAiException failed(GenerationException e) {
        return new OpenAiException(
                HttpStatus.INTERNAL_SERVER_ERROR,
                "The model failed on this request: " + e.getMessage(),
                null,
                "generation_failed");
    }

    @ExceptionHandler
    ResponseEntity<OpenAiError> refused(OpenAiException e) {
        return ResponseEntity.status(e.status())
                .contentType(MediaType.APPLICATION_JSON)
                .body(e.body());
    }

    @ExceptionHandler
    ResponseEntity<OpenAiError> generationFailed(GenerationException e) {
        return refused(failed(e));
    }

    @ExceptionHandler
    ResponseEntity<OpenAiError> queueFull(QueueFullException e) {
        OpenAiException refusal = new OpenAiException(
                HttpStatus.TOO_MANY_REQUESTS,
                "Too many requests are waiting: " + e.getMessage() + ".",
                null,
                "rate_limit_exceeded");
        return ResponseEntity.status(refusal.status())
                .header(HttpHeaders.RETRY_AFTER, "2")
                .contentType(MediaType.APPLICATION_JSON)
                .body(refusal.body());
    }

    @ExceptionHandler
    ResponseEntity<OpenAiError> tooLong(PromptTooLongException e) {
        return refused(new OpenAiException(
                HttpStatus.BAD_REQUEST, String.valueOf(e.getMessage()), "messages", "context_length_exceeded"));
    }

    @ExceptionHandler
    ResponseEntity<OpenAiError> invalid(IllegalArgumentException e) {
        return refused(
                new OpenAiException(HttpStatus.BAD_REQUEST, String.valueOf(e.getMessage()), null, "invalid_value"));
    }

    @ExceptionHandler
    ResponseEntity<OpenAiError> unreadable(HttpMessageNotReadableException e) {
        return refused(
                new OpenAiException(HttpStatus.BAD_REQUEST, "The body is not valid JSON.", null, "invalid_json"));
    }

    @ExceptionHandler
    ResponseEntity<OpenAiError> unavailable(ProblemException e) {
        HttpStatus status = HttpStatus.valueOf(e.getStatusCode().value());
        return refused(new OpenAiException(
                status, String.valueOf(e.getBody().getDetail()), null, e.kind().replace('-', '_')));
    }
}
