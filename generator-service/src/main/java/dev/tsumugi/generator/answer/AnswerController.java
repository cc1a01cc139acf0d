package dev.tsumugi.generator.answer;

import dev.tsumugi.contracts.api.AnswerEvent;
import dev.tsumugi.contracts.api.AnswerRequest;
import dev.tsumugi.contracts.api.AskResponse;
import dev.tsumugi.contracts.api.InternalHeaders;
import dev.tsumugi.generator.model.EventStream;
import dev.tsumugi.platform.web.ProblemException;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestHeader;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.json.JsonMapper;

/**
 * Streams grounded answers. What {@code delta} events bring is provisional; the answer with its citation marks is {@code done.answer}. A
 * client that goes away cancels its generation.
 */
@RestController
class AnswerController {
    private final Answers answers;
    private final JsonMapper json;

    AnswerController(Answers answers, JsonMapper json) {
        this.answers = answers;
        this.json = json;
    }

    @PostMapping("/internal/answer")
    void answer(
            @RequestBody AnswerRequest request,
            @RequestHeader(name = InternalHeaders.TENANT, defaultValue = "") String tenant,
            HttpServletResponse response)
            throws IOException {
        try (Answers.Accepted accepted = answers.accept(tenant, request)) {
            EventStream stream = new EventStream(response);
            try {
                AskResponse done = accepted.read(new Answers.Reader() {
                    @Override
                    public void delta(String text) throws IOException {
                        stream.send("delta", json.writeValueAsString(new AnswerEvent(text, null, null)));
                    }

                    @Override
                    public void idle() throws IOException {
                        stream.heartbeat();
                    }
                });
                stream.send("done", json.writeValueAsString(new AnswerEvent(null, done, null)));
            } catch (ProblemException e) {
                String detail = String.valueOf(e.getBody().getDetail());
                stream.send("error", json.writeValueAsString(new AnswerEvent(null, null, detail)));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
