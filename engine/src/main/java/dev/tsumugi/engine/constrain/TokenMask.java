package dev.tsumugi.engine.constrain;

import java.util.Arrays;

/** Which tokens may come next: an immutable bit set over token ids. */
public final class TokenMask {
    private final long[] words;
    private final int hash;

    /** Owns {@code words} from here on. */
    TokenMask(long[] words) {
        this.words = words;
        hash = Arrays.hashCode(words);
    }

    public boolean allows(int id) {
        return id >> 6 < words.length && (words[id >> 6] >>> id & 1) != 0;
    }

    /** How many tokens it allows. */
    public int size() {
        int size = 0;
        for (long word : words) {
            size += Long.bitCount(word);
        }
        return size;
    }

    /** Sets the logits of all tokens that are not allowed to minus infinity. {@code logits}: {@code vocabulary} of them, from {@code from}. */
    public void apply(float[] logits, int from, int vocabulary) {
        int last = Math.min(words.length, Math.ceilDiv(vocabulary, Long.SIZE));
        for (int word = 0; word < last; word++) {
            int first = from + word * Long.SIZE;
            int count = Math.min(Long.SIZE, vocabulary - word * Long.SIZE);
            if (words[word] == 0) {
                Arrays.fill(logits, first, first + count, Float.NEGATIVE_INFINITY);
            } else {
                long forbidden = ~words[word] & (count == Long.SIZE ? -1L : (1L << count) - 1);
                for (; forbidden != 0; forbidden &= forbidden - 1) {
                    logits[first + Long.numberOfTrailingZeros(forbidden)] = Float.NEGATIVE_INFINITY;
                }
            }
        }
        if (last * Long.SIZE < vocabulary) {
            Arrays.fill(logits, from + last * Long.SIZE, from + vocabulary, Float.NEGATIVE_INFINITY);
        }
    }

    long bytes() {
        return 32 + words.length * 8L;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof TokenMask mask && hash == mask.hash && Arrays.equals(words, mask.words);
    }

    @Override
    public int hashCode() {
        return hash;
    }
}
