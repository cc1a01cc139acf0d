package dev.tsumugi.generator.grounding;

import dev.tsumugi.contracts.api.SearchResponse.Hit;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Decides before any token is generated whether the retrieved passages have to do with the question at all:
 *
 * <pre>relevance = max over passages of similarity + {@value #LEXICAL_WEIGHT} * max over passages of coverage</pre>
 *
 * where {@code similarity} is the cosine of the embeddings and {@code coverage} the share of the question's content words that stand in
 * the passage, its title or its headings. E5 models squeeze all cosines into 0.75 to 0.95, so the similarity alone separates badly.
 */
public final class RelevanceGate {
    static final double LEXICAL_WEIGHT = 0.06;

    private final double minRelevance;

    /** @param minRelevance passages below are taken for off-topic; 0 lets everything pass */
    public RelevanceGate(double minRelevance) {
        this.minRelevance = minRelevance;
    }

    public boolean passes(String question, List<Hit> passages) {
        return !passages.isEmpty() && relevance(question, passages) >= minRelevance;
    }

    double relevance(String question, List<Hit> passages) {
        double similarity = 0;
        double coverage = 0;
        for (Hit hit : passages) {
            similarity = Math.max(similarity, hit.similarity());
            coverage = Math.max(coverage, coverage(question, hit));
        }
        return similarity + LEXICAL_WEIGHT * coverage;
    }

    /** Share of the question's content words that the passage holds; 0 when the question has none. */
    static double coverage(String question, Hit hit) {
        Set<String> asked = Words.topics(question);
        if (asked.isEmpty()) {
            return 0;
        }
        Set<String> held = new HashSet<>(Words.topics(hit.text()));
        held.addAll(Words.topics(hit.title() + "\n" + hit.heading()));
        return (double) asked.stream().filter(held::contains).count() / asked.size();
    }
}
