package dev.tsumugi.ingest.parse;

import java.text.Normalizer;

/** Brings decoded text into the form that {@link ParsedDocument} promises. */
final class CleanText {
    private static final char BYTE_ORDER_MARK = '\uFEFF';
    private static final char SOFT_HYPHEN = '\u00AD';

    private CleanText() {}

    static String of(CharSequence raw) {
        StringBuilder out = new StringBuilder(raw.length());
        int n = raw.length();
        for (int i = 0; i < n; i++) {
            char c = raw.charAt(i);
            if (c == '\r') {
                out.append('\n');
                if (i + 1 < n && raw.charAt(i + 1) == '\n') {
                    i++;
                }
            } else if (c == '\f' || c == '\u2028' || c == '\u2029' || c == '\u0085' || c == '\u000B') {
                out.append('\n');
            } else if (c == '\n' || c == '\t') {
                out.append(c);
            } else if (Character.isISOControl(c) || c == BYTE_ORDER_MARK || c == SOFT_HYPHEN) {
                continue;
            } else if (Character.isHighSurrogate(c)) {
                if (i + 1 < n && Character.isLowSurrogate(raw.charAt(i + 1))) {
                    out.append(c).append(raw.charAt(++i));
                } else {
                    out.append('\uFFFD');
                }
            } else if (Character.isLowSurrogate(c)) {
                out.append('\uFFFD');
            } else {
                out.append(c);
            }
        }
        // Files from macOS write か and its sound mark as two characters; searches would miss them.
        return Normalizer.isNormalized(out, Normalizer.Form.NFC)
                ? out.toString()
                : Normalizer.normalize(out, Normalizer.Form.NFC);
    }

    /** White space as readers of any script see it, ideographic and no-break spaces included. */
    static boolean isBlank(int c) {
        return Character.isWhitespace(c) || Character.isSpaceChar(c);
    }

    /** A table row without the separators before its first and behind its last cell that holds something. */
    static String row(String cells) {
        int start = 0;
        int end = cells.length();
        while (start < end && isBarOrBlank(cells.charAt(start))) {
            start++;
        }
        while (end > start && isBarOrBlank(cells.charAt(end - 1))) {
            end--;
        }
        return cells.substring(start, end);
    }

    private static boolean isBarOrBlank(char c) {
        return c == '|' || isBlank(c);
    }

    /** Written without spaces between words: a line break between two of these is no space. */
    static boolean isWrittenWithoutSpaces(int c) {
        return switch (Character.UnicodeScript.of(c)) {
            case HAN, HIRAGANA, KATAKANA -> true;
            default -> c >= 0x3000 && c <= 0x303F || c >= 0xFF01 && c <= 0xFF65 || c == 0x30FC;
        };
    }
}
