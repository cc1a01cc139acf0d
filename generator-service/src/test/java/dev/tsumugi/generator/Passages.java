package dev.tsumugi.generator;

import dev.tsumugi.contracts.api.SearchResponse.Hit;

/** Passages for tests. */
final class Passages {
    private Passages() {}

    /** A passage that begins at {@code start} of its document. */
    static Hit passage(String id, String text, double similarity, int start) {
        return new Hit(id, id + "#0", 1, id + " title", "", text, similarity, similarity, start, start + text.length());
    }

    static Hit passage(String id, String text) {
        return passage(id, text, 0.9, 0);
    }
}
