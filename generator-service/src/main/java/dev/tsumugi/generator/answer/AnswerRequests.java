package dev.tsumugi.generator.answer;

import dev.tsumugi.contracts.AdapterKey;
import dev.tsumugi.contracts.api.AnswerRequest;
import dev.tsumugi.contracts.api.AskRequest;
import dev.tsumugi.engine.adapter.UnknownAdapterException;
import dev.tsumugi.engine.serve.Engine;
import dev.tsumugi.engine.serve.GenerationRequest;
import dev.tsumugi.engine.serve.PromptTooLongException;
import dev.tsumugi.engine.serve.QueueFullException;
import dev.tsumugi.generator.model.ServedModel;
import dev.tsumugi.generator.model.TokenStream;
import dev.tsumugi.platform.prompt.QuestionTooLongException;
import dev.tsumugi.platform.web.ProblemException;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpStatus;

/** What is wrong with a request for an answer, as problem details. */
final class AnswerRequests {
    private static final int MAX_QUESTION = 8_000;
    private static final int MAX_PASSAGES = 100;
    private static final int MAX_TURNS = 100;
    private static final Set<String> ROLES = Set.of("user", "assistant");

    private AnswerRequests() {}

    static void check(AnswerRequest request) {
        requirePresent("question", request.question());
        requirePresent("passages", request.passages());
        requirePresent("indexGeneration", request.indexGeneration());
        if (request.question().isBlank()) {
            throw ProblemException.badRequest("question-missing", "The question is empty.");
        }
        if (request.question().length() > MAX_QUESTION) {
            throw ProblemException.badRequest(
                    "question-too-long", "The question has more than " + MAX_QUESTION + " characters. Shorten it.");
        }
        if (request.passages().size() > MAX_PASSAGES) {
            throw ProblemException.badRequest(
                    "too-many-passages", "At most " + MAX_PASSAGES + " passages can be given.");
        }
        checkHistory(request.history());
    }

    /** The model with the adapter that is asked for, or the promoted one where none is. */
    static ServedModel withAdapter(ServedModel served, String tenant, AnswerRequest request) {
        String adapter = request.adapter();
        if (adapter == null) {
            return served.promoted(tenant, request.question());
        }
        if (adapter.equals(AdapterKey.NO_ADAPTER)) {
            return served;
        }
        ServedModel adapted = served.called(tenant, adapter, request.question());
        if (adapted.adapter() == null) {
            throw ProblemException.notFound(
                    "adapter-unknown",
                    "There is no adapter named " + adapter + ". Leave it out, or ask with one of "
                            + served.adapters().visibleTo(tenant) + ".");
        }
        return adapted;
    }

    private static void checkHistory(@Nullable List<AskRequest.Turn> history) {
        if (history == null) {
            return;
        }
        if (history.size() > MAX_TURNS) {
            throw ProblemException.badRequest("history-too-long", "At most " + MAX_TURNS + " turns can be given.");
        }
        for (AskRequest.Turn turn : history) {
            if (!ROLES.contains(turn.role()) || turn.content() == null) {
                throw ProblemException.badRequest(
                        "history-invalid", "A turn of the history needs content and the role user or assistant.");
            }
        }
    }

    private static void requirePresent(String field, @Nullable Object value) {
        if (value == null) {
            throw ProblemException.badRequest("field-missing", "The field " + field + " is missing.");
        }
    }

    static <T> T fitting(Supplier<T> prompt) {
        try {
            return prompt.get();
        } catch (QuestionTooLongException e) {
            throw ProblemException.badRequest("question-too-long", String.valueOf(e.getMessage()));
        }
    }

    static TokenStream submit(Engine engine, GenerationRequest request) {
        try {
            return TokenStream.of(engine, List.of(request));
        } catch (QueueFullException e) {
            throw new ProblemException(
                    HttpStatus.TOO_MANY_REQUESTS,
                    "too-many-questions",
                    "Too many questions are waiting for the language model: " + e.getMessage() + ".",
                    e);
        } catch (UnknownAdapterException e) {
            throw ProblemException.notFound(
                    "adapter-unknown", "The adapter was removed a moment ago. Leave it out, or ask with another.");
        } catch (PromptTooLongException e) {
            throw ProblemException.badRequest("question-too-long", String.valueOf(e.getMessage()));
        } catch (IllegalStateException e) {
            throw new ProblemException(
                    HttpStatus.SERVICE_UNAVAILABLE, "model-not-ready", "The service is shutting down.", e);
        }
    }
}
