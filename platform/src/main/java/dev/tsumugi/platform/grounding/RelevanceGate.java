package dev.tsumugi.platform.grounding;

import dev.tsumugi.contracts.api.AnswerRequest;
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
 *
 * <p>Measured with five passages a question; how many questions pass, of those that the passages are about and of those about other
 * articles:
 *
 * <pre>
 * SQuAD 2.0, e5-small-v2, English,             minimum 0.835:  97.2 %   12.8 %   (unanswerable questions on the same articles: 92 %)
 * JSQuAD,    multilingual-e5-small, Japanese,  minimum 0.87:   98.6 %    0.0 %
 * JSQuAD,    e5-small-v2, Japanese,            minimum 0.87:   94.6 %   20.0 %
 * </pre>
 *
 * Passages that were found without vectors have no similarity; then at least half of the question's content words must stand in one,
 * unless the minimum is 0.
 *
 * <p>It tells topics apart, not whether a passage holds the answer; {@link CitationFinder} looks at the answer itself.
 */
public final class RelevanceGate {
    static final double LEXICAL_WEIGHT = 0.06;

    private static final double MIN_COVERAGE = 0.5;

    private final double minRelevance;
    private final double minRelevanceJapanese;

    /**
     * @param minRelevance passages below are taken for off-topic; 0 lets everything pass
     * @param minRelevanceJapanese the same for questions in Japanese, whose cosines are higher
     */
    public RelevanceGate(double minRelevance, double minRelevanceJapanese) {
        this.minRelevance = minRelevance;
        this.minRelevanceJapanese = minRelevanceJapanese;
    }

    public boolean passes(AnswerRequest request) {
        return request.degraded() == null
                ? passes(request.question(), request.passages())
                : passesByWords(request.question(), request.passages());
    }

    boolean passes(String question, List<Hit> passages) {
        return !passages.isEmpty() && relevance(question, passages) >= minimumFor(question);
    }

    private boolean passesByWords(String question, List<Hit> passages) {
        // A minimum of relevance is on the scale of cosines and so says nothing of a share of words; only 0 has a
        // meaning on both: refuse
        // nothing.
        boolean off = minimumFor(question) == 0;
        return !passages.isEmpty() && (off || coverage(question, passages) >= MIN_COVERAGE);
    }

    private double minimumFor(String question) {
        return Words.isEastAsian(question) ? minRelevanceJapanese : minRelevance;
    }

    double relevance(String question, List<Hit> passages) {
        double similarity = passages.stream().mapToDouble(Hit::similarity).max().orElse(0);
        return similarity + LEXICAL_WEIGHT * coverage(question, passages);
    }

    private static double coverage(String question, List<Hit> passages) {
        return passages.stream()
                .mapToDouble(passage -> coverage(question, passage))
                .max()
                .orElse(0);
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
