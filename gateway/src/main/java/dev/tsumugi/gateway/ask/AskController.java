package dev.tsumugi.gateway.ask;

import dev.tsumugi.contracts.api.AskRequest;
import dev.tsumugi.gateway.GatewayProperties;
import dev.tsumugi.gateway.errors.Checks;
import dev.tsumugi.gateway.errors.Problems;
import dev.tsumugi.platform.web.Caller;
import dev.tsumugi.platform.web.CallersConnection;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.springframework.http.MediaType;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.json.JsonMapper;

/** Answers questions, as a whole or as a stream of server-sent events. */
@RestController
class AskController {
    private static final int MAX_PASSAGES = 20;
    private static final int DEFAULT_PASSAGES = 5;
    private static final int MAX_ADAPTER_NAME = 128;
    private static final int MAX_TURNS = 40;
    private static final int MAX_TURN_LENGTH = 20_000;
    private static final Set<String> ROLES = Set.of("user", "assistant");

    private final Answers answers;
    private final JsonMapper json;
    private final int maxQuestionLength;

    AskController(Answers answers, JsonMapper json, GatewayProperties properties) {
        this.answers = answers;
        this.json = json;
        this.maxQuestionLength = properties.maxQuestionLength();
    }

    @PostMapping(path = "/api/v1/ask", consumes = MediaType.APPLICATION_JSON_VALUE)
    void ask(@RequestBody AskRequest ask, Caller caller, HttpServletRequest request, HttpServletResponse response)
            throws IOException {
        AskRequest question = new AskRequest(
                Checks.text("question", ask.question(), maxQuestionLength),
                Checks.range("limit", ask.limit(), 1, MAX_PASSAGES, DEFAULT_PASSAGES),
                ask.adapter() == null ? null : Checks.text("adapter", ask.adapter(), MAX_ADAPTER_NAME),
                ask.stream(),
                checkedHistory(ask.history()));
        if (Boolean.TRUE.equals(ask.stream())) {
            answers.stream(question, caller, response);
        } else {
            byte[] body = json.writeValueAsBytes(answers.whole(question, caller, CallersConnection.of(request)));
            response.setContentType(MediaType.APPLICATION_JSON_VALUE);
            response.setContentLength(body.length);
            response.getOutputStream().write(body);
        }
    }

    private static @Nullable List<AskRequest.Turn> checkedHistory(@Nullable List<AskRequest.Turn> history) {
        if (history == null || history.isEmpty()) {
            return null;
        }
        if (history.size() > MAX_TURNS) {
            throw Problems.field("history", "must have at most " + MAX_TURNS + " turns");
        }
        for (int i = 0; i < history.size(); i++) {
            AskRequest.Turn turn = history.get(i);
            if (turn == null || turn.role() == null || !ROLES.contains(turn.role())) {
                throw Problems.field("history[" + i + "].role", "must be 'user' or 'assistant'");
            }
            Checks.text("history[" + i + "].content", turn.content(), MAX_TURN_LENGTH);
        }
        return history;
    }
}
