package dev.tsumugi.ingest.chunk;

/**
 * Estimates how many tokens an embedding model makes of a text, without its vocabulary and on the high side for the WordPiece model of
 * e5-small-v2 and the SentencePiece model of multilingual-e5. A text's estimate is never above the sum of the estimates of its pieces.
 *
 * <ul>
 *   <li>a word of n Latin, Greek or Cyrillic letters: 1 + (n - 1) / 5 (other than ASCII: n / 2, rounded up);
 *   <li>digits: one for each two;
 *   <li>an ideograph, kana or other letter, and any sign: 1; a Hangul syllable: 3, for WordPiece takes it apart; beyond the basic plane
 *       (emoji): 2;
 *   <li>white space: nothing.
 * </ul>
 */
public final class TokenEstimate {
    private TokenEstimate() {}

    public static int of(CharSequence text) {
        return of(text, 0, text.length());
    }

    /** Estimate for {@code text} from {@code start} to {@code end}. */
    public static int of(CharSequence text, int start, int end) {
        int tokens = 0;
        int i = start;
        while (i < end) {
            char c = text.charAt(i);
            if (isAsciiLetter(c)) {
                int from = i;
                while (i < end && isAsciiLetter(text.charAt(i))) {
                    i++;
                }
                tokens += (i - from + 4) / 5;
            } else if (c >= '0' && c <= '9') {
                int from = i;
                while (i < end && text.charAt(i) >= '0' && text.charAt(i) <= '9') {
                    i++;
                }
                tokens += (i - from + 1) / 2;
            } else if (isOtherAlphabetLetter(c)) {
                int from = i;
                while (i < end && isOtherAlphabetLetter(text.charAt(i))) {
                    i++;
                }
                tokens += (i - from + 1) / 2;
            } else {
                tokens += single(c);
                i++;
            }
        }
        return tokens;
    }

    private static int single(char c) {
        if (Character.isWhitespace(c) || Character.isSpaceChar(c)) {
            return 0;
        }
        return c >= 0xAC00 && c <= 0xD7A3 ? 3 : 1;
    }

    private static boolean isAsciiLetter(char c) {
        return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z';
    }

    private static boolean isOtherAlphabetLetter(char c) {
        return c >= 0xC0 && c < 0x530 && Character.isLetter(c);
    }
}
