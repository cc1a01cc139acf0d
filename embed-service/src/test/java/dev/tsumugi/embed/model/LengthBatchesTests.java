package dev.tsumugi.embed.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class LengthBatchesTests {
    @Test
    void every_text_is_in_exactly_one_batch_and_no_batch_exceeds_the_budget() {
        Random random = new Random(1);
        for (int count : new int[] {1, 2, 31, 32, 33, 500}) {
            int[] lengths = random.ints(count, 1, 513).toArray();
            List<int[]> batches = LengthBatches.of(texts(lengths), 2048);
            int[] seen = batches.stream().flatMapToInt(Arrays::stream).sorted().toArray();
            assertThat(seen).isEqualTo(IntStream.range(0, count).toArray());
            assertThat(batches)
                    .allSatisfy(
                            batch -> assertThat(paddedTokens(batch, lengths)).isLessThanOrEqualTo(2048));
        }
    }

    @Test
    void padding_stays_small_because_neighbours_are_of_like_length() {
        int[] lengths = new Random(2).ints(1000, 1, 513).toArray();
        int padded = LengthBatches.of(texts(lengths), 2048).stream()
                .mapToInt(batch -> paddedTokens(batch, lengths))
                .sum();
        assertThat(padded).isLessThan((int) (1.05 * IntStream.of(lengths).sum()));
    }

    @Test
    void a_text_longer_than_the_budget_is_alone() {
        assertThat(LengthBatches.of(texts(10, 512, 10), 100)).containsExactly(new int[] {1}, new int[] {0, 2});
    }

    @Test
    void no_text_makes_no_batch() {
        assertThat(LengthBatches.of(List.of(), 100)).isEmpty();
    }

    private static int paddedTokens(int[] batch, int[] lengths) {
        return batch.length * IntStream.of(batch).map(i -> lengths[i]).max().orElseThrow();
    }

    private static List<TokenizedText> texts(int... lengths) {
        return IntStream.of(lengths)
                .mapToObj(length -> new TokenizedText(new long[length], false))
                .toList();
    }
}
