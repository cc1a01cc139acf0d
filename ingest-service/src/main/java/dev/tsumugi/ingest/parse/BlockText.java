package dev.tsumugi.ingest.parse;

/**
 * Text of one block while it is read: runs of white space become one space, as a browser shows them, and nothing at all where a line
 * breaks between two characters that are written without spaces. Line breaks that the format asks for stay.
 */
final class BlockText {
    private final StringBuilder text = new StringBuilder();
    private boolean pendingSpace;
    private boolean pendingNewline;

    void append(CharSequence characters) {
        for (int i = 0; i < characters.length(); i++) {
            char c = characters.charAt(i);
            if (CleanText.isBlank(c)) {
                pendingSpace = true;
                pendingNewline |= c == '\n' || c == '\r';
            } else {
                flushSpace(c);
                text.append(c);
            }
        }
    }

    void lineBreak() {
        pendingSpace = false;
        pendingNewline = false;
        text.append('\n');
    }

    void space() {
        pendingSpace = true;
    }

    boolean isBlank() {
        return text.chars().allMatch(CleanText::isBlank);
    }

    int length() {
        return text.length();
    }

    String take() {
        String taken = text.toString();
        text.setLength(0);
        pendingSpace = false;
        pendingNewline = false;
        return taken;
    }

    private void flushSpace(char next) {
        if (pendingSpace && !text.isEmpty()) {
            char last = text.charAt(text.length() - 1);
            boolean joined =
                    pendingNewline && CleanText.isWrittenWithoutSpaces(last) && CleanText.isWrittenWithoutSpaces(next);
            if (last != '\n' && !joined) {
                text.append(' ');
            }
        }
        pendingSpace = false;
        pendingNewline = false;
    }
}
