package dev.tsumugi.bench;

import dev.tsumugi.contracts.api.SearchResponse.Hit;
import dev.tsumugi.platform.grounding.Words;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * A plain search by words over the passages of all questions, so that readers can be measured with what a search brings, and no platform: the
 * sum of {@code log(1 + passages / holders)} over the question's content words that a passage holds.
 */
final class PassageSearch {
    private static final int FOUND = 5;

    private record Passage(SquadQuestion of, Set<String> topics) {}

    private final List<Passage> passages = new ArrayList<>();
    private final Map<String, Integer> holders = new HashMap<>();

    PassageSearch(List<SquadQuestion> questions) {
        questions.stream()
                .collect(Collectors.toMap(SquadQuestion::passage, question -> question, (first, second) -> first))
                .values()
                .forEach(question -> {
                    Set<String> topics = Words.topics(question.title() + "\n" + question.passage());
                    topics.forEach(topic -> holders.merge(topic, 1, Integer::sum));
                    passages.add(new Passage(question, topics));
                });
    }

    /** The best five, whether or not the question's own is among them. */
    List<Hit> find(SquadQuestion question) {
        Set<String> asked = Words.topics(question.question());
        List<Passage> best = passages.stream()
                .sorted(Comparator.comparingDouble((Passage passage) -> -score(passage, asked))
                        .thenComparing(passage -> passage.of().id()))
                .limit(FOUND)
                .toList();
        List<Hit> hits = new ArrayList<>();
        double first = score(best.getFirst(), asked);
        for (Passage passage : best) {
            double behind = first == 0 ? 0 : 1 - score(passage, asked) / first;
            hits.add(ReaderPrompts.hit(passage.of(), behind));
        }
        return hits;
    }

    private double score(Passage passage, Set<String> asked) {
        double score = 0;
        for (String word : asked) {
            if (passage.topics().contains(word)) {
                score += Math.log(1 + (double) passages.size() / holders.getOrDefault(word, 1));
            }
        }
        return score;
    }
}
