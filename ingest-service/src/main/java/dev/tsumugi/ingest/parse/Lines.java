package dev.tsumugi.ingest.parse;

/** Walks over the lines of a text by their offsets. */
final class Lines {
    private final String text;
    private int start;
    private int end = -1;

    Lines(String text) {
        this.text = text;
    }

    /** Moves to the next line; false behind the last. */
    boolean next() {
        if (end == text.length()) {
            return false;
        }
        start = end + 1;
        int newline = text.indexOf('\n', start);
        end = newline < 0 ? text.length() : newline;
        return true;
    }

    int start() {
        return start;
    }

    int end() {
        return end;
    }

    String line() {
        return text.substring(start, end);
    }

    boolean isBlank() {
        return contentStart() == end;
    }

    /** Offset of the first character that is not white space, or the line's end. */
    int contentStart() {
        int i = start;
        while (i < end && CleanText.isBlank(text.charAt(i))) {
            i++;
        }
        return i;
    }

    /** Offset behind the last character that is not white space. */
    int contentEnd() {
        int i = end;
        while (i > start && CleanText.isBlank(text.charAt(i - 1))) {
            i--;
        }
        return i;
    }
}
