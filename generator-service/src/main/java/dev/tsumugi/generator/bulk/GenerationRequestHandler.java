package dev.tsumugi.generator.bulk;

import dev.tsumugi.contracts.DocumentKey;
import dev.tsumugi.contracts.Topics;
import dev.tsumugi.contracts.api.AnswerRequest;
import dev.tsumugi.contracts.api.AskResponse;
import dev.tsumugi.contracts.api.SearchRequest;
import dev.tsumugi.contracts.api.SearchResponse;
import dev.tsumugi.contracts.event.GenerationRequest;
import dev.tsumugi.contracts.event.GenerationResult;
import dev.tsumugi.generator.answer.Answers;
import dev.tsumugi.platform.kafka.EventCodec;
import dev.tsumugi.platform.kafka.EventPublisher;
import dev.tsumugi.platform.kafka.InvalidEventException;
import dev.tsumugi.platform.kafka.RecordHandler;
import dev.tsumugi.platform.web.Caller;
import dev.tsumugi.platform.web.ProblemException;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.web.client.RestClient;

/**
 * Answers one question of {@code generation-requests}: retrieves for its tenant and principals, answers, and publishes the result under the
 * key of the request. A request that is delivered twice is answered twice under one key; readers keep the last.
 */
final class GenerationRequestHandler implements RecordHandler {
    private static final int DEFAULT_LIMIT = 5;
    private static final int MAX_LIMIT = 20;

    private final EventCodec codec;
    private final EventPublisher publisher;
    private final RestClient retriever;
    private final Answers answers;

    GenerationRequestHandler(EventCodec codec, EventPublisher publisher, RestClient retriever, Answers answers) {
        this.codec = codec;
        this.publisher = publisher;
        this.retriever = retriever;
        this.answers = answers;
    }

    @Override
    public void handle(ConsumerRecord<String, byte[]> record) throws IOException, InterruptedException {
        DocumentKey key = keyOf(record.key());
        GenerationRequest request =
                codec.decode(record.value(), GenerationRequest.class, GenerationRequest.SCHEMA_VERSION);
        int limit = request.limit() == null ? DEFAULT_LIMIT : request.limit();
        if (limit < 1 || limit > MAX_LIMIT) {
            throw new InvalidEventException("limit must be 1 to " + MAX_LIMIT + ", but is " + limit);
        }
        if (request.question().isBlank()) {
            throw new InvalidEventException("the question is empty");
        }
        AskResponse answer;
        try {
            answer = answer(key.tenant(), request, limit);
        } catch (ProblemException e) {
            int status = e.getStatusCode().value();
            if (status != 429 && status != 401 && e.getStatusCode().is4xxClientError()) {
                throw new InvalidEventException(String.valueOf(e.getBody().getDetail()), e);
            }
            throw e;
        }
        publisher.sendAndWait(
                Topics.GENERATION_RESULTS,
                record.key(),
                new GenerationResult(GenerationResult.SCHEMA_VERSION, request.question(), answer, null));
    }

    private AskResponse answer(String tenant, GenerationRequest request, int limit)
            throws IOException, InterruptedException {
        long begin = System.nanoTime();
        Caller caller = new Caller(tenant, request.principals() == null ? List.of() : request.principals(), false);
        SearchResponse found = retriever
                .post()
                .uri("/internal/search")
                .headers(caller::writeTo)
                .contentType(MediaType.APPLICATION_JSON)
                .body(new SearchRequest(request.question(), limit, null, null))
                .retrieve()
                .body(SearchResponse.class);
        if (found == null) {
            throw new IOException("the retriever gave an empty answer");
        }
        if (found.degraded() != null) {
            // Nobody waits for this answer: better late than from worse passages.
            throw new ProblemException(HttpStatus.SERVICE_UNAVAILABLE, "search-degraded", found.degraded());
        }
        long retrieval = Duration.ofNanos(System.nanoTime() - begin).toMillis();
        AnswerRequest question = new AnswerRequest(
                request.question(), found.hits(), found.indexGeneration(), request.adapter(), null, retrieval, null);
        try (Answers.Accepted accepted = answers.accept(tenant, question)) {
            return accepted.read(Answers.Reader.NONE);
        }
    }

    /** Whoever asked learns why there is no answer. */
    @Override
    public void deadLettered(ConsumerRecord<String, byte[]> record, String reason) {
        if (record.key() != null) {
            publisher.sendAndWait(
                    Topics.GENERATION_RESULTS,
                    record.key(),
                    new GenerationResult(GenerationResult.SCHEMA_VERSION, "", null, reason));
        }
    }

    private static DocumentKey keyOf(@Nullable String key) {
        try {
            return DocumentKey.parse(key == null ? "" : key);
        } catch (IllegalArgumentException e) {
            throw new InvalidEventException(String.valueOf(e.getMessage()), e);
        }
    }
}
