package dev.tsumugi.ingest.chunk;

import java.util.stream.IntStream;

/**
 * Estimates how many tokens an embedding model makes of a text, without its vocabulary and rather too many than too few. Each of these
 * counts one:
 *
 * <ul>
 *   <li>up to five letters a to z of a word, which also ends where a capital follows a small letter;
 *   <li>up to two other Latin, Greek or Cyrillic letters, and up to two digits;
 *   <li>an ideograph, a kana, any other letter, and any sign.
 * </ul>
 *
 * A Hangul syllable counts three, for WordPiece takes it apart, and a character beyond the basic plane two; white space counts nothing. A
 * text's estimate is never above the sum of its parts' estimates.
 *
 * <p>Real tokens by estimated ones, median and 99th percentile over passages of this size: English (SQuAD) 0.76 and 0.89 with the WordPiece
 * model of e5-small-v2, 0.89 and 1.03 with the SentencePiece model of multilingual-e5-small; Japanese (JSQuAD) 0.97 and 1.00, 0.69 and
 * 0.80; Java source 0.92 and 1.04, 0.99 and 1.11; base64 1.16 and 1.46, 1.50 and 1.64. So 256 by this estimate stay below 512 in truth.
 */
public final class TokenEstimate {
    private static final int LETTERS = 5;
    private static final int OTHER_LETTERS = 2;
    private static final int DIGITS = 2;
    private static final int HANGUL = 3;

    private TokenEstimate() {}

    public static int of(CharSequence text) {
        return of(text, 0, text.length());
    }

    /** Estimate for {@code text} from {@code start} to {@code end}. */
    public static int of(CharSequence text, int start, int end) {
        int tokens = 0;
        for (int i = start; i < end; ) {
            int next = unitEnd(text, i, end);
            tokens += weight(text.charAt(i), next - i);
            i = next;
        }
        return tokens;
    }

    /** Where the parts begin that count at least one token. */
    static IntStream starts(CharSequence text) {
        IntStream.Builder starts = IntStream.builder();
        for (int i = 0; i < text.length(); ) {
            int next = unitEnd(text, i, text.length());
            int step = step(text.charAt(i));
            for (int start = i; weight(text.charAt(i), 1) > 0 && start < next; start += step) {
                starts.add(start);
            }
            i = next;
        }
        return starts.build();
    }

    /** End of the run of one kind that begins at {@code i}. */
    private static int unitEnd(CharSequence text, int i, int end) {
        char first = text.charAt(i);
        int next = i + 1;
        if (isAsciiLetter(first)) {
            while (next < end
                    && isAsciiLetter(text.charAt(next))
                    && !(isSmall(text.charAt(next - 1)) && !isSmall(text.charAt(next)))) {
                next++;
            }
        } else if (isDigit(first)) {
            while (next < end && isDigit(text.charAt(next))) {
                next++;
            }
        } else if (isOtherAlphabetLetter(first)) {
            while (next < end && isOtherAlphabetLetter(text.charAt(next))) {
                next++;
            }
        } else if (Character.isHighSurrogate(first) && next < end && Character.isLowSurrogate(text.charAt(next))) {
            next++;
        }
        return next;
    }

    private static int weight(char first, int length) {
        if (Character.isWhitespace(first) || Character.isSpaceChar(first)) {
            return 0;
        }
        if (Character.isSurrogate(first)) {
            return length;
        }
        if (first >= 0xAC00 && first <= 0xD7A3) {
            return HANGUL;
        }
        return Math.ceilDiv(length, step(first));
    }

    /** Characters of a run that count as one token. */
    private static int step(char first) {
        if (isAsciiLetter(first)) {
            return LETTERS;
        }
        if (isDigit(first)) {
            return DIGITS;
        }
        return isOtherAlphabetLetter(first) || Character.isSurrogate(first) ? OTHER_LETTERS : 1;
    }

    private static boolean isAsciiLetter(char c) {
        return isSmall(c) || c >= 'A' && c <= 'Z';
    }

    private static boolean isSmall(char c) {
        return c >= 'a' && c <= 'z';
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }

    private static boolean isOtherAlphabetLetter(char c) {
        return c >= 0xC0 && c < 0x530 && Character.isLetter(c);
    }
}
