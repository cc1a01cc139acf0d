package dev.tsumugi.embed.model;

/**
 * A text as the model reads it.
 *
 * @param ids token ids, special ones included, at most the model's maximum
 * @param truncated whether the text had more tokens than the model takes
 */
@SuppressWarnings("ArrayRecordComponent") // never compared; lives for one batch
public record TokenizedText(long[] ids, boolean truncated) {

    public int length() {
        return ids.length;
    }
}
