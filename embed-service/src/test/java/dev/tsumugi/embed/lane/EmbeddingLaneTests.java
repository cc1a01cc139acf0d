package dev.tsumugi.embed.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tsumugi.embed.model.TokenizedText;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class EmbeddingLaneTests {
    private static final int POISON = 99;

    private final List<Integer> batchSizes = new CopyOnWriteArrayList<>();
    private final CountDownLatch firstBatchBegan = new CountDownLatch(1);
    private final CountDownLatch gate = new CountDownLatch(1);

    @Test
    void every_caller_gets_the_vectors_of_its_own_texts_in_order() {
        gate.countDown();
        try (EmbeddingLane lane = lane(64, 256)) {
            List<CompletableFuture<List<float[]>>> results = new ArrayList<>();
            for (int request = 0; request < 50; request++) {
                results.add(lane.submit(List.of(text(request + 1, 5), text(request + 2, 30), text(request + 3, 1))));
            }
            for (int request = 0; request < 50; request++) {
                assertThat(results.get(request).join())
                        .extracting(vector -> (int) vector[0])
                        .containsExactly(request + 1, request + 2, request + 3);
            }
            assertThat(lane.waitingTexts()).isZero();
        }
    }

    @Test
    void texts_that_wait_share_batches_across_callers() throws Exception {
        try (EmbeddingLane lane = lane(80, 1000)) {
            CompletableFuture<List<float[]>> first = lane.submit(List.of(text(1, 10)));
            assertThat(firstBatchBegan.await(10, TimeUnit.SECONDS)).isTrue();
            List<CompletableFuture<List<float[]>>> others = IntStream.range(0, 16)
                    .mapToObj(i -> lane.submit(List.of(text(i, 10))))
                    .toList();
            assertThat(lane.waitingTexts()).isEqualTo(17);
            gate.countDown();
            first.join();
            others.forEach(CompletableFuture::join);
        }
        assertThat(batchSizes).containsExactly(1, 8, 8);
    }

    @Test
    void one_bad_text_fails_its_own_request_only() throws Exception {
        try (EmbeddingLane lane = lane(80, 1000)) {
            CompletableFuture<List<float[]>> first = lane.submit(List.of(text(1, 10)));
            assertThat(firstBatchBegan.await(10, TimeUnit.SECONDS)).isTrue();
            CompletableFuture<List<float[]>> good = lane.submit(List.of(text(2, 10)));
            CompletableFuture<List<float[]>> bad = lane.submit(List.of(text(3, 10), text(POISON, 10)));
            CompletableFuture<List<float[]>> alsoGood = lane.submit(List.of(text(4, 10)));
            gate.countDown();
            assertThat(first.join()).hasSize(1);
            assertThat(good.join().getFirst()[0]).isEqualTo(2);
            assertThat(alsoGood.join().getFirst()[0]).isEqualTo(4);
            assertThatThrownBy(bad::join).hasRootCauseMessage("cannot embed this");
            assertThat(lane.submit(List.of(text(5, 10))).join().getFirst()[0]).isEqualTo(5);
        }
    }

    @Test
    void batches_of_one_request_are_in_work_at_once() {
        CountDownLatch bothBegan = new CountDownLatch(2);
        gate.countDown();
        try (EmbeddingLane lane = new EmbeddingLane(
                "lane-under-test",
                2,
                batch -> {
                    bothBegan.countDown();
                    // With one batch at a time the second would never begin.
                    awaitOrFail(bothBegan);
                    return embed(batch);
                },
                10,
                100)) {
            assertThat(lane.submit(List.of(text(1, 10), text(2, 10))).join())
                    .extracting(vector -> (int) vector[0])
                    .containsExactly(1, 2);
            assertThat(lane.waitingTexts()).isZero();
        }
    }

    @Test
    void a_request_whose_texts_lie_in_several_batches_fails_when_one_of_them_does() {
        gate.countDown();
        try (EmbeddingLane lane = new EmbeddingLane("lane-under-test", 2, this::embed, 10, 100)) {
            assertThatThrownBy(lane.submit(List.of(text(1, 10), text(POISON, 10), text(2, 10)))::join)
                    .hasRootCauseMessage("cannot embed this");
            assertThat(lane.waitingTexts()).isZero();
            assertThat(lane.submit(List.of(text(3, 10))).join().getFirst()[0]).isEqualTo(3);
        }
    }

    private static void awaitOrFail(CountDownLatch latch) {
        try {
            assertThat(latch.await(10, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void nothing_to_embed_is_answered_at_once() {
        try (EmbeddingLane lane = lane(80, 1000)) {
            assertThat(lane.submit(List.of()).join()).isEmpty();
            gate.countDown();
        }
    }

    @Test
    void after_close_a_request_fails_instead_of_waiting_for_ever() {
        EmbeddingLane lane = lane(80, 1000);
        lane.close();
        assertThatThrownBy(() -> lane.submit(List.of(text(1, 10))).join())
                .hasRootCauseMessage("the embedding service is stopping");
        assertThat(lane.waitingTexts()).isZero();
    }

    private EmbeddingLane lane(int batchTokens, int windowTokens) {
        return new EmbeddingLane("lane-under-test", 1, this::embed, batchTokens, windowTokens);
    }

    /** Stands in for the model: the vector of a text is its first token. */
    private List<float[]> embed(List<TokenizedText> batch) {
        firstBatchBegan.countDown();
        try {
            gate.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
        batchSizes.add(batch.size());
        if (batch.stream().anyMatch(text -> text.ids()[0] == POISON)) {
            throw new IllegalStateException("cannot embed this");
        }
        return batch.stream().map(text -> new float[] {text.ids()[0]}).toList();
    }

    private static TokenizedText text(int firstToken, int length) {
        long[] ids = new long[length];
        ids[0] = firstToken;
        return new TokenizedText(ids, false);
    }
}
