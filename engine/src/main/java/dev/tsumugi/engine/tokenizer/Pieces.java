package dev.tsumugi.engine.tokenizer;

import java.util.BitSet;

/**
 * What each token contributes to a decoded text.
 *
 * @param bytes [V] UTF-8, possibly a part of a character
 * @param special which ids are markers, not text
 * @param dropLeadingSpace a decoded text loses the blank that encoding put in front
 */
record Pieces(byte[][] bytes, BitSet special, boolean dropLeadingSpace) {
    private static final byte[] NOTHING = new byte[0];

    /** Models often have more rows than tokens; an id without a token is empty text. */
    byte[] of(int id) {
        if (id < 0) {
            throw new IllegalArgumentException("token id " + id + " is negative");
        }
        return id < bytes.length ? bytes[id] : NOTHING;
    }
}
