package dev.tsumugi.platform.grounding;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/** Cuts text into sentences of English and Japanese: at full stops, at blank lines, and before list items and headings. */
final class Sentences {
    private static final Set<String> ABBREVIATIONS = Set.of(
            "mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "vs", "etc", "e.g", "i.e", "cf", "fig", "no", "inc",
            "ltd", "co", "approx");
    private static final String CLOSING = "\"'”’)]」』）】";

    /** A sentence without the white space around it: offsets into the text, UTF-16 units. */
    record Span(int start, int end) {
        int length() {
            return end - start;
        }
    }

    private Sentences() {}

    static List<Span> of(CharSequence text) {
        List<Span> spans = new ArrayList<>();
        int start = 0;
        for (int i = 0; i < text.length(); i++) {
            int end = endAt(text, start, i);
            if (end > 0) {
                add(text, start, end, spans);
                start = end;
                i = end - 1;
            }
        }
        add(text, start, text.length(), spans);
        return spans;
    }

    /** The offset behind the sentence that character {@code i} ends, or -1 when it ends none. */
    private static int endAt(CharSequence text, int start, int i) {
        char c = text.charAt(i);
        if (c == '。' || c == '！' || c == '？') {
            return skipClosing(text, i + 1);
        }
        if (c == '\n') {
            return startsBlock(text, i + 1) ? i + 1 : -1;
        }
        if (c == '.' || c == '!' || c == '?') {
            int end = skipClosing(text, i + 1);
            boolean atGap = end == text.length() || Character.isWhitespace(text.charAt(end));
            return atGap && !(c == '.' && isAbbreviation(text, start, i)) ? end : -1;
        }
        return -1;
    }

    private static int skipClosing(CharSequence text, int i) {
        int end = i;
        while (end < text.length() && CLOSING.indexOf(text.charAt(end)) >= 0) {
            end++;
        }
        return end;
    }

    /** A blank line, a list item, a heading or a table row follows. */
    private static boolean startsBlock(CharSequence text, int lineStart) {
        int i = lineStart;
        while (i < text.length() && (text.charAt(i) == ' ' || text.charAt(i) == '\t')) {
            i++;
        }
        if (i >= text.length()) {
            return true;
        }
        char c = text.charAt(i);
        if ("\n\r-*#|•・+".indexOf(c) >= 0) {
            return true;
        }
        int digits = i;
        while (digits < text.length() && Character.isDigit(text.charAt(digits))) {
            digits++;
        }
        return digits > i && digits < text.length() && (text.charAt(digits) == '.' || text.charAt(digits) == ')');
    }

    private static boolean isAbbreviation(CharSequence text, int start, int point) {
        int from = point;
        while (from > start && !Character.isWhitespace(text.charAt(from - 1)) && text.charAt(from - 1) != '(') {
            from--;
        }
        String word = text.subSequence(from, point).toString().toLowerCase(Locale.ROOT);
        boolean initial = word.length() == 1 && Character.isUpperCase(text.charAt(from));
        boolean listNumber = !word.isEmpty() && from == start && word.chars().allMatch(Character::isDigit);
        return initial || listNumber || ABBREVIATIONS.contains(word);
    }

    private static void add(CharSequence text, int start, int end, List<Span> spans) {
        int from = start;
        int to = end;
        while (from < to && Character.isWhitespace(text.charAt(from))) {
            from++;
        }
        while (to > from && Character.isWhitespace(text.charAt(to - 1))) {
            to--;
        }
        if (from < to) {
            spans.add(new Span(from, to));
        }
    }
}
