package dev.tsumugi.retriever.index;

import java.util.Map;

/** What became of a part of a document. */
public sealed interface Outcome {
    /** The version is visible, by this part or already before. */
    record Indexed(int chunks) implements Outcome {}

    /** The document is gone, by this event or already before. */
    record Deleted() implements Outcome {}

    /** Kept until the other parts are in. */
    record Staged() implements Outcome {}

    /** Fewer may read the document from now on, or as few as before. */
    record Restricted() implements Outcome {}

    /** A higher version is visible, or the document was deleted since. */
    record Superseded() implements Outcome {}

    /**
     * Nothing has changed yet: these texts must be embedded first, because the vectors that were to be taken from the old version are
     * gone.
     *
     * @param texts by chunk hash
     */
    record NeedsVectors(Map<String, String> texts) implements Outcome {
        public NeedsVectors {
            texts = Map.copyOf(texts);
        }
    }
}
