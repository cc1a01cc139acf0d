package dev.tsumugi.trainer.sets;

import dev.tsumugi.platform.grounding.Words;
import dev.tsumugi.trainer.examples.Example;
import dev.tsumugi.trainer.examples.ExampleStore;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Makes examples that cannot be answered: the question of one, with passages of others that have most to do with it but rest on other
 * documents and do not hold the answer. Passages about something else altogether would teach nothing: those a question never meets.
 */
final class UnanswerableExamples {
    private static final int MOST_CONTEXTS = 2;

    /** A word that stands in more passages tells nothing, and would make the search slow. */
    private static final int TOO_COMMON = 200;

    private record Passage(String text, String normalized, String document, Set<String> keys) {}

    private final List<Passage> passages = new ArrayList<>();
    private final Map<String, List<Integer>> passagesByTopic = new HashMap<>();

    /** @param examples of one split; others are never looked at */
    UnanswerableExamples(List<Example> examples) {
        Map<String, Integer> known = new HashMap<>();
        for (Example example : examples) {
            for (int i = 0; i < example.contexts().size(); i++) {
                String text = example.contexts().get(i);
                if (known.putIfAbsent(text, passages.size()) == null) {
                    int number = passages.size();
                    passages.add(new Passage(
                            text, NormalizedText.of(text), example.documents().get(i), Splitter.keys(example)));
                    Words.topics(text)
                            .forEach(topic -> passagesByTopic
                                    .computeIfAbsent(topic, unused -> new ArrayList<>())
                                    .add(number));
                }
            }
        }
    }

    /** @return at most {@code count}, always the same for the same examples */
    List<Example> of(List<Example> answerable, int count) {
        List<Example> made = new ArrayList<>();
        List<Example> order = new ArrayList<>(answerable);
        order.sort(Comparator.comparingLong((Example example) -> Splitter.hash(example.id()))
                .thenComparing(Example::id));
        for (Example example : order) {
            if (made.size() >= count) {
                break;
            }
            List<Passage> near = near(example);
            if (!near.isEmpty()) {
                made.add(new Example(
                        ExampleStore.generatedId(example.id()),
                        example.question(),
                        near.stream().map(Passage::text).toList(),
                        near.stream().map(Passage::document).toList(),
                        List.of(),
                        List.copyOf(example.allDocuments()),
                        "",
                        false));
            }
        }
        return made;
    }

    private List<Passage> near(Example example) {
        Set<String> own = Splitter.keys(example);
        String answer = NormalizedText.of(example.answer());
        Map<Integer, Double> scores = new HashMap<>();
        for (String topic : Words.topics(example.question())) {
            List<Integer> holders = passagesByTopic.getOrDefault(topic, List.of());
            if (holders.size() <= TOO_COMMON) {
                holders.forEach(passage -> scores.merge(passage, 1.0 / Math.log(2.0 + holders.size()), Double::sum));
            }
        }
        return scores.entrySet().stream()
                .sorted(Comparator.comparingDouble((Map.Entry<Integer, Double> score) -> -score.getValue())
                        .thenComparing(Map.Entry::getKey))
                .map(score -> passages.get(score.getKey()))
                .filter(passage -> Collections.disjoint(passage.keys(), own)
                        && !answer.isEmpty()
                        && !passage.normalized().contains(answer))
                .limit(MOST_CONTEXTS)
                .toList();
    }
}
