package dev.tsumugi.retriever.terms;

import java.util.Map;

/**
 * The terms of one text.
 *
 * @param frequencies how often each term occurs
 * @param length occurrences of all terms together
 */
public record Terms(Map<String, Integer> frequencies, int length) {
    public Terms {
        frequencies = Map.copyOf(frequencies);
    }
}
