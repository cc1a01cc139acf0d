package dev.tsumugi.retriever.search;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tsumugi.retriever.search.Bm25.Match;
import java.nio.ByteBuffer;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

class Bm25Tests {
    private static final byte[] NONE = {};
    private static final Offset<Double> TINY = Offset.offset(1e-12);

    @Test
    void a_score_is_the_sum_of_what_the_formula_gives_for_each_term() {
        Bm25 scores = new Bm25(10, 40);
        scores.addTerm(posting(7, 2, 6), posting(8, 1, 4));
        scores.addTerm(posting(7, 1, 6), NONE);
        double first = Math.log(1 + 8.5 / 2.5) * 2.2;
        double second = Math.log(1 + 9.5 / 1.5) * 2.2;
        List<Match> best = scores.best(10);
        assertThat(best).extracting(Match::chunkId).containsExactly(7L, 8L);
        assertThat(best.getFirst().score())
                .isCloseTo(first * 2 / (2 + 0.3 + 0.9 * 6 / 4) + second / (1 + 0.3 + 0.9 * 6 / 4), TINY);
        assertThat(best.getLast().score()).isCloseTo(first / (1 + 0.3 + 0.9), TINY);
    }

    @Test
    void of_equal_chunks_the_one_with_the_smaller_id_comes_first() {
        Bm25 scores = new Bm25(10, 10);
        scores.addTerm(posting(9, 1, 1), posting(3, 1, 1), posting(5, 1, 1), posting(4, 2, 2));
        assertThat(scores.best(3)).extracting(Match::chunkId).containsExactly(4L, 3L, 5L);
    }

    @Test
    void the_best_of_many_chunks_are_those_of_a_full_sort() {
        Random random = new Random(1);
        Bm25 scores = new Bm25(50_000, 1_000_000);
        Map<Long, Double> sums = new HashMap<>();
        for (int size : new int[] {30_000, 1, 5_000}) {
            ByteBuffer postings = ByteBuffer.allocate(size * Bm25.POSTING_BYTES);
            for (long id :
                    random.longs(1, Long.MAX_VALUE >> 40).distinct().limit(size).toArray()) {
                int frequency = 1 + random.nextInt(3);
                int length = 5 + random.nextInt(40);
                postings.putLong(id).putInt(frequency).putInt(length);
                double idf = Math.log(1 + (50_000 - size + 0.5) / (size + 0.5));
                sums.merge(id, idf * 2.2 * frequency / (frequency + 0.3 + 0.9 * length / 20), Double::sum);
            }
            scores.addTerm(postings.array());
        }
        List<Long> sorted = sums.entrySet().stream()
                .sorted(Map.Entry.<Long, Double>comparingByValue(Comparator.reverseOrder())
                        .thenComparing(Map.Entry.comparingByKey()))
                .map(Map.Entry::getKey)
                .toList();
        assertThat(scores.best(20)).extracting(Match::chunkId).isEqualTo(sorted.subList(0, 20));
        assertThat(scores.best(100_000)).extracting(Match::chunkId).isEqualTo(sorted);
    }

    @Test
    void without_statistics_there_are_still_scores() {
        assertThat(new Bm25(0, 0).best(5)).isEmpty();
        Bm25 stale = new Bm25(0, 0);
        stale.addTerm(posting(1, 1, 1), posting(2, 1, 1));
        assertThat(stale.best(5)).hasSize(2).allMatch(match -> match.score() > 0);
    }

    private static byte[] posting(long id, int frequency, int length) {
        return ByteBuffer.allocate(Bm25.POSTING_BYTES)
                .putLong(id)
                .putInt(frequency)
                .putInt(length)
                .array();
    }
}
