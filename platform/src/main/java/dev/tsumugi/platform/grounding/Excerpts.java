package dev.tsumugi.platform.grounding;

import dev.tsumugi.contracts.api.SearchResponse.Hit;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.ToIntFunction;

/**
 * Picks what a model should read of the passages when not all of it fits: the sentences that share the rarest words with the question, and
 * those beside them, unless one sentence holds all words of the question. A small model answers better from 150 tokens that matter than from 700 that mostly do not, and sooner.
 */
public final class Excerpts {
    private static final double NEIGHBOUR = 0.35;
    private static final double HEADING = 0.5;
    /** Cosines of E5 models differ by hundredths between a good passage and a bad one. */
    private static final double SIMILARITY = 6;

    private static final int SEPARATOR = 2;

    private record Candidate(int passage, int position, String text, Set<String> topics, Set<String> above) {

        /** Whether this is of another passage and speaks of part of what {@code other} speaks of: of a red team where that is of a blue one. */
        boolean saysLessThan(Candidate other, Set<String> asked) {
            Set<String> shared = shared(asked);
            Set<String> sharedByOther = other.shared(asked);
            return passage != other.passage
                    && sharedByOther.size() > shared.size()
                    && sharedByOther.containsAll(shared);
        }

        private Set<String> shared(Set<String> asked) {
            Set<String> shared = new HashSet<>(asked);
            shared.removeIf(word -> !topics.contains(word) && !above.contains(word));
            return shared;
        }
    }

    private Excerpts() {}

    /**
     * @param passages best first
     * @param tokens counts the tokens of a text
     * @param maxTokens for all excerpts together
     * @param focus sentences that score below this share of the best one are left out, 0 to 1, and so are those of other passages that share
     *     only some of the words with the question that the best one shares; where a sentence holds all words of the question, none counts for
     *     standing beside it. A small model answers from whatever it reads. 0: nothing is left out
     * @return one text for each passage that something was taken of, best last; its sentences in the order of the document
     */
    public static List<String> of(
            String question, List<Hit> passages, ToIntFunction<String> tokens, int maxTokens, double focus) {
        List<Candidate> candidates = candidates(passages);
        Set<String> asked = Words.topics(question);
        // Beside a sentence that says all that is asked a small model only finds something else to say.
        boolean complete = focus > 0
                && candidates.stream().anyMatch(candidate -> candidate.topics().containsAll(asked));
        double[] scores = scores(question, passages, candidates, complete ? 0 : NEIGHBOUR);
        List<Integer> order = new ArrayList<>();
        for (int i = 0; i < candidates.size(); i++) {
            order.add(i);
        }
        order.sort(Comparator.comparingDouble((Integer i) -> -scores[i]));
        Map<Integer, TreeMap<Integer, String>> chosen = new TreeMap<>();
        int left = maxTokens;
        for (int i : order) {
            if (focus > 0 && scores[i] < focus * scores[order.getFirst()]) {
                break;
            }
            Candidate candidate = candidates.get(i);
            if (focus > 0 && candidate.saysLessThan(candidates.get(order.getFirst()), asked)) {
                continue;
            }
            int cost = tokens.applyAsInt(candidate.text()) + SEPARATOR;
            if (cost <= left) {
                chosen.computeIfAbsent(candidate.passage(), unused -> new TreeMap<>())
                        .put(candidate.position(), candidate.text());
                left -= cost;
            } else if (chosen.isEmpty()) {
                // A sentence longer than the whole budget, such as a table, is cut rather than left out.
                chosen.computeIfAbsent(candidate.passage(), unused -> new TreeMap<>())
                        .put(candidate.position(), beginning(candidate.text(), tokens, maxTokens - SEPARATOR));
                break;
            }
        }
        return chosen.values().stream()
                .map(sentences -> String.join(joint(sentences.firstEntry().getValue()), sentences.values()))
                .toList()
                .reversed();
    }

    private static String joint(String sentence) {
        return Words.isEastAsian(sentence) ? "" : " ";
    }

    private static List<Candidate> candidates(List<Hit> passages) {
        List<Candidate> candidates = new ArrayList<>();
        for (int p = 0; p < passages.size(); p++) {
            Hit hit = passages.get(p);
            Set<String> above = Words.topics(hit.title() + "\n" + hit.heading());
            for (Sentences.Span span : Sentences.of(hit.text())) {
                String text = hit.text().substring(span.start(), span.end()).replaceAll("\\s+", " ");
                candidates.add(new Candidate(p, span.start(), text, new HashSet<>(Words.topics(text)), above));
            }
        }
        return candidates;
    }

    private static double[] scores(String question, List<Hit> passages, List<Candidate> candidates, double neighbour) {
        Map<String, Double> weights = weights(question, candidates);
        double total = weights.values().stream().mapToDouble(w -> w).sum();
        double[] own = new double[candidates.size()];
        for (int i = 0; i < own.length; i++) {
            Candidate candidate = candidates.get(i);
            for (Map.Entry<String, Double> asked : weights.entrySet()) {
                double share = candidate.topics().contains(asked.getKey())
                        ? 1
                        : candidate.above().contains(asked.getKey()) ? HEADING : 0;
                own[i] += share * asked.getValue() / total;
            }
        }
        double[] scores = new double[own.length];
        for (int i = 0; i < own.length; i++) {
            int passage = candidates.get(i).passage();
            double before = i > 0 && candidates.get(i - 1).passage() == passage ? own[i - 1] : 0;
            double after = i + 1 < own.length && candidates.get(i + 1).passage() == passage ? own[i + 1] : 0;
            double behindBest =
                    passages.get(passage).similarity() - passages.getFirst().similarity();
            scores[i] = own[i] + neighbour * Math.max(before, after) + SIMILARITY * behindBest;
        }
        return scores;
    }

    /** Rare words of the question tell more. */
    private static Map<String, Double> weights(String question, List<Candidate> candidates) {
        Map<String, Double> weights = new HashMap<>();
        for (String topic : Words.topics(question)) {
            long holders = candidates.stream()
                    .filter(candidate -> candidate.topics().contains(topic))
                    .count();
            weights.put(topic, Math.log(1 + candidates.size() / (1.0 + holders)));
        }
        return weights;
    }

    private static String beginning(String text, ToIntFunction<String> tokens, int max) {
        int low = 0;
        int high = text.length();
        while (low < high) {
            int middle = (low + high + 1) >>> 1;
            if (tokens.applyAsInt(text.substring(0, middle)) <= max) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        boolean splitsCharacter = low > 0 && Character.isHighSurrogate(text.charAt(low - 1));
        return text.substring(0, splitsCharacter ? low - 1 : low);
    }
}
