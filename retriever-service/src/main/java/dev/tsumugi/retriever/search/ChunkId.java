package dev.tsumugi.retriever.search;

import org.jspecify.annotations.Nullable;

/** Names one chunk of one version for good: {@code documentId@version#position}. */
record ChunkId(String documentId, long version, int position) {

    /** Null when {@code text} names no chunk. A document id may hold {@code @} and {@code #} itself. */
    static @Nullable ChunkId parse(String text) {
        int hash = text.lastIndexOf('#');
        int at = hash < 0 ? -1 : text.lastIndexOf('@', hash);
        if (at < 1) {
            return null;
        }
        try {
            return new ChunkId(
                    text.substring(0, at),
                    Long.parseLong(text.substring(at + 1, hash)),
                    Integer.parseInt(text.substring(hash + 1)));
        } catch (NumberFormatException e) {
            return null;
        }
    }

    @Override
    public String toString() {
        return documentId + "@" + version + "#" + position;
    }
}
