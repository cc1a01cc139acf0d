package dev.tsumugi.trainer.retrieval;

import dev.tsumugi.platform.adapters.QueryAdapter;
import dev.tsumugi.trainer.examples.Example;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Whether held-out questions find a passage that holds their answer, among the passages of all held-out questions, by the vectors alone. Passages
 * of a question that cannot be answered are among those that must not be found.
 */
public final class RetrievalRecall {
    private final TextVectors vectors;
    private final List<String> pool;
    private final int limit;
    /** Each question with the passages that hold its answer. */
    private final Map<String, Set<String>> questions;

    /**
     * @param heldOut with contexts
     * @param limit how many of the best passages count as found
     */
    public RetrievalRecall(TextVectors vectors, List<Example> heldOut, int limit) {
        this.vectors = vectors;
        this.limit = limit;
        pool = heldOut.stream()
                .flatMap(example -> example.contexts().stream())
                .distinct()
                .toList();
        questions = heldOut.stream()
                .filter(example -> !holding(example).isEmpty())
                .collect(Collectors.toMap(
                        Example::question,
                        RetrievalRecall::holding,
                        (one, other) -> {
                            Set<String> both = new LinkedHashSet<>(one);
                            both.addAll(other);
                            return both;
                        },
                        java.util.TreeMap::new));
    }

    private static Set<String> holding(Example example) {
        if (!example.answerable()) {
            return Set.of();
        }
        return IntStream.range(0, example.contexts().size())
                .filter(i -> example.cited().isEmpty()
                        ? example.contexts().get(i).contains(example.answer())
                        : example.cited().contains(example.documents().get(i)))
                .mapToObj(example.contexts()::get)
                .collect(Collectors.toCollection(LinkedHashSet::new));
    }

    /** False where nothing can be told: without such questions, or with so few passages that each is found. */
    public boolean canTell() {
        return !questions.isEmpty() && pool.size() > limit;
    }

    public int limit() {
        return limit;
    }

    /**
     * @param adapter null: vectors as the embedding model gives them
     * @return for each question 1 if a passage that holds its answer is among the best, else 0; always in the same order
     */
    public double[] found(@Nullable QueryAdapter adapter) {
        List<float[]> passages = pool.stream().map(vectors::passage).toList();
        return questions.entrySet().stream()
                .mapToDouble(question -> {
                    float[] plain = vectors.question(question.getKey());
                    float[] vector = adapter == null ? plain : adapter.apply(plain);
                    return best(vector, passages).stream()
                                    .anyMatch(i -> question.getValue().contains(pool.get(i)))
                            ? 1
                            : 0;
                })
                .toArray();
    }

    private List<Integer> best(float[] question, List<float[]> passages) {
        double[] scores = new double[passages.size()];
        List<Integer> order = new ArrayList<>();
        for (int p = 0; p < scores.length; p++) {
            order.add(p);
            for (int i = 0; i < question.length; i++) {
                scores[p] += question[i] * (double) passages.get(p)[i];
            }
        }
        order.sort(Comparator.comparingDouble(p -> -scores[p]));
        return order.subList(0, Math.min(limit, order.size()));
    }
}
