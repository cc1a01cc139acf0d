package dev.tsumugi.retriever.embedding;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tsumugi.contracts.api.EmbedRequest;
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
    private static final EmbedResponse VECTOR =
            new EmbedResponse("words", "words-1", List.of(new float[] {1, 0}), 1, null);

    private volatile Instant now = Instant.EPOCH;
    private volatile Supplier<EmbedResponse> service = () -> VECTOR;
    private final AtomicInteger calls = new AtomicInteger();
    private final InstantSource time = () -> now;
    private final Clock clock = time.withZone(ZoneOffset.UTC);
    private final QueryEmbeddings embeddings = new QueryEmbeddings(
            new EmbedClient(RestClient.create()) {
                @Override
                public EmbedResponse embed(EmbedRequest request) {
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
        CompletableFuture<Optional<?>> probe = CompletableFuture.supplyAsync(() -> embeddings.find("t", "first"));
        await(asked);
        pass(Duration.ofSeconds(9));

        assertThat(embeddings.find("t", "second")).isEmpty();
        assertThat(calls).hasValue(2);

        answer.countDown();
        assertThat(probe.get()).isPresent();
        assertThat(embeddings.find("t", "second")).isPresent();
    }

    @Test
    void a_probe_that_fails_lets_the_next_one_try_after_a_pause() {
        failOnce();
        pass(Duration.ofSeconds(2));
        assertThat(embeddings.find("t", "second")).isEmpty();
        assertThat(calls).hasValue(2);
        service = () -> VECTOR;
        assertThat(embeddings.find("t", "third")).isEmpty();
        assertThat(calls).hasValue(2);
        pass(Duration.ofSeconds(2));
        assertThat(embeddings.find("t", "third")).isPresent();
    }

    @Test
    void a_question_that_was_asked_before_needs_no_service() {
        assertThat(embeddings.find("t", "known")).isPresent();
        failOnce();
        assertThat(embeddings.find("t", "known")).isPresent();
    }

    @Test
    void what_is_remembered_for_one_tenant_is_not_taken_for_another_who_may_have_a_query_adapter() {
        assertThat(embeddings.find("one", "same")).isPresent();
        assertThat(embeddings.find("two", "same")).isPresent();
        assertThat(embeddings.find("two", "same")).isPresent();
        assertThat(calls.get()).isEqualTo(2);
    }

    @Test
    void a_service_that_refuses_a_question_answers() {
        failOnce();
        pass(Duration.ofSeconds(2));
        service = () -> {
            throw ProblemException.badRequest("text-too-long", "The text is too long.");
        };
        assertThatThrownBy(() -> embeddings.find("t", "too long")).isInstanceOf(ProblemException.class);
        service = () -> VECTOR;
        assertThat(embeddings.find("t", "next")).isPresent();
    }

    private void failOnce() {
        service = () -> {
            throw new ResourceAccessException("nobody listens");
        };
        assertThat(embeddings.find("t", "while it is down")).isEmpty();
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
