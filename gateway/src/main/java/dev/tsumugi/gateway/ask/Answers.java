package dev.tsumugi.gateway.ask;

import dev.tsumugi.contracts.api.AnswerEvent;
import dev.tsumugi.contracts.api.AnswerRequest;
import dev.tsumugi.contracts.api.AskRequest;
import dev.tsumugi.contracts.api.AskResponse;
import dev.tsumugi.contracts.api.SearchRequest;
import dev.tsumugi.contracts.api.SearchResponse;
import dev.tsumugi.gateway.downstream.AnswerSlots;
import dev.tsumugi.gateway.downstream.EventStreamReader;
import dev.tsumugi.gateway.downstream.EventStreamRelay;
import dev.tsumugi.gateway.downstream.ServiceClient;
import dev.tsumugi.gateway.downstream.Services;
import dev.tsumugi.platform.web.Caller;
import dev.tsumugi.platform.web.CallersConnection;
import dev.tsumugi.platform.web.ProblemException;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpMethod;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.stereotype.Component;
import tools.jackson.databind.json.JsonMapper;

/** Retrieval, then generation: the passages that the caller may read go to the generator, whose events come back. */
@Component
final class Answers {
    private static final String BROKEN_OFF = "The answer broke off because the generator stopped. Ask again.";
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final String BROKEN_OFF_EVENT =
            "event: error\ndata: " + JSON.writeValueAsString(new AnswerEvent(null, null, BROKEN_OFF)) + "\n\n";

    private final ServiceClient retriever;
    private final ServiceClient generator;
    private final AnswerSlots slots;
    private final EventStreamRelay relay;

    Answers(Services services, AnswerSlots slots, EventStreamRelay relay) {
        this.retriever = services.retriever();
        this.generator = services.generator();
        this.slots = slots;
        this.relay = relay;
    }

    /**
     * Returns the finished answer.
     *
     * @throws CallersConnection.GoneException when the caller left while it was generated; the generator stops then
     */
    AskResponse whole(AskRequest question, Caller caller, CallersConnection connection) {
        return generate(question, caller, body -> connection.whilePresent(body, () -> done(body)));
    }

    /** Writes the events {@code delta}, {@code done} and {@code error} as they come. */
    void stream(AskRequest question, Caller caller, HttpServletResponse response) {
        generate(question, caller, body -> {
            relay.relay(body, response, BROKEN_OFF_EVENT);
            return true;
        });
    }

    @FunctionalInterface
    private interface EventsReader<T> {
        T read(InputStream events) throws IOException;
    }

    private <T> T generate(AskRequest question, Caller caller, EventsReader<T> reader) {
        try (AnswerSlots.Slot _ = slots.take()) {
            long begin = System.nanoTime();
            SearchResponse found = retriever.post(
                    "/internal/search",
                    caller,
                    new SearchRequest(question.question(), question.limit(), null, null),
                    SearchResponse.class);
            AnswerRequest request = new AnswerRequest(
                    question.question(),
                    found.hits(),
                    found.indexGeneration(),
                    question.adapter(),
                    question.history(),
                    Duration.ofNanos(System.nanoTime() - begin).toMillis(),
                    found.degraded());
            Consumer<HttpHeaders> headers = h -> {
                h.setContentType(MediaType.APPLICATION_JSON);
                h.setAccept(List.of(MediaType.TEXT_EVENT_STREAM, MediaType.APPLICATION_PROBLEM_JSON));
            };
            return generator.exchange(
                    HttpMethod.POST,
                    "/internal/answer",
                    caller,
                    headers,
                    request,
                    response -> reader.read(response.getBody()),
                    ServiceClient.Refusal.PROBLEM);
        }
    }

    private static AskResponse done(InputStream body) throws IOException {
        EventStreamReader events = new EventStreamReader(body);
        try {
            String data;
            while ((data = events.next()) != null) {
                AnswerEvent event = JSON.readValue(data, AnswerEvent.class);
                if (event.error() != null) {
                    throw new ProblemException(HttpStatus.BAD_GATEWAY, "generation-failed", event.error());
                }
                if (event.done() != null) {
                    return event.done();
                }
            }
        } catch (IOException e) {
            throw new ProblemException(HttpStatus.BAD_GATEWAY, "generation-failed", BROKEN_OFF, e);
        }
        throw new ProblemException(HttpStatus.BAD_GATEWAY, "generation-failed", BROKEN_OFF);
    }
}
