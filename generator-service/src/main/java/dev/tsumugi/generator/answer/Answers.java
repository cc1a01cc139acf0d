package dev.tsumugi.generator.answer;

import dev.tsumugi.contracts.api.AnswerRequest;
import dev.tsumugi.contracts.api.AskRequest;
import dev.tsumugi.contracts.api.AskResponse;
import dev.tsumugi.engine.serve.FinishReason;
import dev.tsumugi.engine.serve.GenerationRequest;
import dev.tsumugi.engine.serve.GenerationResult;
import dev.tsumugi.engine.tokenizer.ChatMessage;
import dev.tsumugi.generator.model.ModelHost;
import dev.tsumugi.generator.model.ServedModel;
import dev.tsumugi.generator.model.TokenStream;
import dev.tsumugi.platform.grounding.CitationFinder;
import dev.tsumugi.platform.grounding.GroundedAnswer;
import dev.tsumugi.platform.grounding.Refusals;
import dev.tsumugi.platform.grounding.RelevanceGate;
import dev.tsumugi.platform.grounding.Repetition;
import dev.tsumugi.platform.prompt.AnswerPrompt;
import dev.tsumugi.platform.web.ProblemException;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.springframework.http.HttpStatus;
import org.springframework.stereotype.Service;

/**
 * Answers a question from passages: refuses when they are off-topic, generates, and then cites what the passages support. An answer of
 * which they support nothing is replaced by a refusal, so what was streamed is provisional and {@code AskResponse.answer} holds.
 */
@Service
public class Answers {
    private static final Duration HEARTBEAT = Duration.ofMillis(500);

    private final ModelHost host;
    private final AnswerProperties properties;
    private final RelevanceGate gate;
    private final CitationFinder citations = new CitationFinder();

    Answers(ModelHost host, AnswerProperties properties) {
        this.host = host;
        this.properties = properties;
        this.gate = new RelevanceGate(properties.minRelevance(), properties.minRelevanceJapanese());
    }

    /** Hears of an answer as it grows. Whatever it throws ends the generation. */
    public interface Reader {
        Reader NONE = text -> {};

        void delta(String text) throws IOException;

        /** Called now and then while nothing happens. */
        default void idle() throws IOException {}
    }

    /** A question that was accepted; closing it ends the generation if it is not finished. */
    public interface Accepted extends AutoCloseable {
        /**
         * @throws IOException what the reader threw
         * @throws ProblemException when the model failed
         */
        AskResponse read(Reader reader) throws IOException, InterruptedException;

        @Override
        void close();
    }

    /** @throws ProblemException 400 for a bad question, 404 for an unknown adapter, 429 when too many wait, 503 while there is no model */
    public Accepted accept(String tenant, AnswerRequest request) {
        long begin = System.nanoTime();
        AnswerRequests.check(request);
        ServedModel served = AnswerRequests.withAdapter(host.require(), tenant, request);
        try {
            return accept(tenant, request, served, begin);
        } catch (RuntimeException | Error e) {
            served.close();
            throw e;
        }
    }

    private Accepted accept(String tenant, AnswerRequest request, ServedModel served, long begin) {
        if (!gate.passes(request)) {
            Refused refused = new Refused(refusal(request, served, new AskResponse.Usage(0, 0), begin, begin));
            served.close();
            return refused;
        }
        GenerationRequest generation = GenerationRequest.of(prompt(request, served), properties.maxTokens())
                .withStop(AnswerPrompt.STOP)
                .withTimeout(host.timeout())
                .withTenant(tenant)
                .withAdapter(served.adapterDigest())
                .withFirstTokenBias(served.refusalBias(request.question()));
        return new Generating(request, served, AnswerRequests.submit(served.engine(), generation), begin);
    }

    private int[] prompt(AnswerRequest request, ServedModel served) {
        AnswerPrompt prompt = properties
                .budgetFor(served.model().config().hiddenSize())
                .within(served.engine().limits().contextLength())
                .prompt(served::countTokens);
        List<AskRequest.Turn> history = request.history() == null ? List.of() : request.history();
        List<ChatMessage> messages =
                AnswerRequests.fitting(() -> prompt.messages(request.question(), request.passages(), history)).stream()
                        .map(turn -> new ChatMessage(turn.role(), turn.content()))
                        .toList();
        return served.model().chatPrompt(messages);
    }

    private record Refused(AskResponse response) implements Accepted {
        @Override
        public AskResponse read(Reader reader) throws IOException {
            reader.delta(response.answer());
            return response;
        }

        @Override
        public void close() {}
    }

    private final class Generating implements Accepted {
        private final AnswerRequest request;
        private final ServedModel served;
        private final TokenStream stream;
        private final long begin;

        Generating(AnswerRequest request, ServedModel served, TokenStream stream, long begin) {
            this.request = request;
            this.served = served;
            this.stream = stream;
            this.begin = begin;
        }

        @Override
        public AskResponse read(Reader reader) throws IOException, InterruptedException {
            StringBuilder text = new StringBuilder();
            long firstToken = 0;
            boolean repeats = false;
            while (true) {
                TokenStream.Event event = stream.next(HEARTBEAT);
                if (event == null) {
                    reader.idle();
                } else if (event instanceof TokenStream.Piece piece) {
                    if (repeats) {
                        continue;
                    }
                    firstToken = firstToken == 0 ? System.nanoTime() : firstToken;
                    text.append(piece.text());
                    reader.delta(piece.text());
                    repeats = Repetition.endsWithOne(text);
                    if (repeats) {
                        stream.cancel(0);
                    }
                } else if (event instanceof TokenStream.Finished finished) {
                    requireComplete(finished.result(), repeats);
                    return respond(Repetition.withoutOne(text), finished.result(), firstToken);
                } else if (event instanceof TokenStream.Failed failed) {
                    served.failed();
                    throw new ProblemException(
                            HttpStatus.INTERNAL_SERVER_ERROR,
                            "generation-failed",
                            "The model failed on this question: "
                                    + failed.failure().getMessage(),
                            failed.failure());
                }
            }
        }

        private void requireComplete(GenerationResult result, boolean repeats) {
            if (result.finishReason() == FinishReason.DEADLINE) {
                throw new ProblemException(
                        HttpStatus.GATEWAY_TIMEOUT,
                        "answer-timeout",
                        "The answer was not finished within " + host.timeout().toSeconds()
                                + " seconds. Ask again when there is less load.");
            }
            if (result.finishReason() == FinishReason.CANCELLED && !repeats) {
                throw new ProblemException(
                        HttpStatus.SERVICE_UNAVAILABLE, "answer-cancelled", "The answer was cancelled.");
            }
        }

        private AskResponse respond(String text, GenerationResult result, long firstToken) {
            AskResponse.Usage usage = new AskResponse.Usage(
                    result.usage().promptTokens(), result.usage().generatedTokens());
            GroundedAnswer grounded = citations.ground(request.question(), text, request.passages());
            long first = firstToken == 0 ? System.nanoTime() : firstToken;
            if (!grounded.supported()) {
                return unsupported(request, served, usage, begin, first);
            }
            return new AskResponse(
                    grounded.text(),
                    true,
                    grounded.citations(),
                    provenance(request, served),
                    usage,
                    timings(request, begin, first),
                    request.degraded());
        }

        @Override
        public void close() {
            stream.close();
            served.close();
        }
    }

    /** The passages have to do with the question, so the one that comes closest is worth a look. */
    private AskResponse unsupported(
            AnswerRequest request, ServedModel served, AskResponse.Usage usage, long begin, long firstToken) {
        AskResponse.Citation closest = citations.closest(request.question(), request.passages());
        return closest == null
                ? refusal(request, served, usage, begin, firstToken)
                : unanswered(
                        Refusals.withClosest(request.question()),
                        List.of(closest),
                        request,
                        served,
                        usage,
                        begin,
                        firstToken);
    }

    private static AskResponse refusal(
            AnswerRequest request, ServedModel served, AskResponse.Usage usage, long begin, long firstToken) {
        String text = Refusals.inLanguageOf(request.question());
        return unanswered(text, List.of(), request, served, usage, begin, firstToken);
    }

    private static AskResponse unanswered(
            String text,
            List<AskResponse.Citation> citations,
            AnswerRequest request,
            ServedModel served,
            AskResponse.Usage usage,
            long begin,
            long firstToken) {
        return new AskResponse(
                text,
                false,
                citations,
                provenance(request, served),
                usage,
                timings(request, begin, firstToken),
                request.degraded());
    }

    private static AskResponse.Provenance provenance(AnswerRequest request, ServedModel served) {
        return new AskResponse.Provenance(
                served.modelName(),
                served.adapterName(),
                served.adapterDigest(),
                request.indexGeneration(),
                AnswerPrompt.VERSION);
    }

    private static AskResponse.Timings timings(AnswerRequest request, long begin, long firstToken) {
        long retrieval = request.retrievalMillis();
        return new AskResponse.Timings(
                retrieval,
                retrieval + Duration.ofNanos(firstToken - begin).toMillis(),
                retrieval + Duration.ofNanos(System.nanoTime() - begin).toMillis());
    }
}
