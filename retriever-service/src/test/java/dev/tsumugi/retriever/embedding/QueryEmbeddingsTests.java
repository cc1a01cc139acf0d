package dev.tsumugi.retriever.embedding;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tsumugi.contracts.api.EmbedRequest.Kind;
import dev.tsumugi.contracts.api.EmbedResponse;
import dev.tsumugi.platform.web.ProblemException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.springframework.web.client.ResourceAccessException;
import org.springframework.web.client.RestClient;

@Timeout(20)
class QueryEmbeddingsTests {
    private static final EmbedResponse VECTOR = new EmbedResponse("words", "words-1", List.of(new float[] {1, 0}), 1);

    private volatile Instant now = Instant.EPOCH;
    private volatile Supplier<EmbedResponse> service = () -> VECTOR;
    private final AtomicInteger calls = new AtomicInteger();
    private final InstantSource time = () -> now;
    private final Clock clock = time.withZone(ZoneOffset.UTC);
    private final QueryEmbeddings embeddings = new QueryEmbeddings(
            new EmbedClient(RestClient.create()) {
                @Override
                public EmbedResponse embed(Kind kind, List<String> texts) {
                    calls.incrementAndGet();
                    return service.get();
                }
            },
            clock);

    @Test
    void while_one_search_tries_a_service_that_failed_the_others_do_not_wait_for_it() throws Exception {
        failOnce();
        pass(Duration.ofSeconds(2));
        CountDownLatch asked = new CountDownLatch(1);
        CountDownLatch answer = new CountDownLatch(1);
        service = () -> {
            asked.countDown();
            await(answer);
            return VECTOR;
        };
        CompletableFuture<Optional<?>> probe = CompletableFuture.supplyAsync(() -> embeddings.find("first"));
        await(asked);
        pass(Duration.ofSeconds(9));

        assertThat(embeddings.find("second")).isEmpty();
        assertThat(calls).hasValue(2);

        answer.countDown();
        assertThat(probe.get()).isPresent();
        assertThat(embeddings.find("second")).isPresent();
    }

    @Test
    void a_probe_that_fails_lets_the_next_one_try_after_a_pause() {
        failOnce();
        pass(Duration.ofSeconds(2));
        assertThat(embeddings.find("second")).isEmpty();
        assertThat(calls).hasValue(2);
        service = () -> VECTOR;
        assertThat(embeddings.find("third")).isEmpty();
        assertThat(calls).hasValue(2);
        pass(Duration.ofSeconds(2));
        assertThat(embeddings.find("third")).isPresent();
    }

    @Test
    void a_question_that_was_asked_before_needs_no_service() {
        assertThat(embeddings.find("known")).isPresent();
        failOnce();
        assertThat(embeddings.find("known")).isPresent();
    }

    @Test
    void a_service_that_refuses_a_question_answers() {
        failOnce();
        pass(Duration.ofSeconds(2));
        service = () -> {
            throw ProblemException.badRequest("text-too-long", "The text is too long.");
        };
        assertThatThrownBy(() -> embeddings.find("too long")).isInstanceOf(ProblemException.class);
        service = () -> VECTOR;
        assertThat(embeddings.find("next")).isPresent();
    }

    private void failOnce() {
        service = () -> {
            throw new ResourceAccessException("nobody listens");
        };
        assertThat(embeddings.find("while it is down")).isEmpty();
    }

    private void pass(Duration duration) {
        now = now.plus(duration);
    }

    private static void await(CountDownLatch latch) {
        try {
            assertThat(latch.await(10, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
