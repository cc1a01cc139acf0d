package dev.tsumugi.ingest.parse;

import dev.tsumugi.ingest.parse.DocumentBlock.Kind;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Puts the text of a rich format together block by block, with a blank line between blocks and none within lists and tables. */
final class DocumentTextBuilder {
    /** Shortest line, in characters, that is taken for a full one where words are written without spaces. */
    private static final int MIN_BROKEN_LINE = 24;

    private final StringBuilder text = new StringBuilder();
    private final List<DocumentBlock> blocks = new ArrayList<>();
    private final int maxCharacters;

    DocumentTextBuilder(int maxCharacters) {
        this.maxCharacters = maxCharacters;
    }

    /** Blank content adds nothing. */
    void add(Kind kind, int level, int page, CharSequence raw) {
        String content = CleanText.of(raw).strip();
        if (content.isEmpty()) {
            return;
        }
        if (!blocks.isEmpty()) {
            text.append(continues(blocks.getLast().kind(), kind) ? "\n" : "\n\n");
        }
        if (text.length() + content.length() > maxCharacters) {
            throw tooLong(maxCharacters);
        }
        int start = text.length();
        text.append(content);
        String label = kind == Kind.HEADING ? content.replaceAll("\\s+", " ") : "";
        blocks.add(new DocumentBlock(kind, level, start, text.length(), page, label));
    }

    /**
     * Adds a paragraph of a format that knows lines and gaps only, such as PDF: where the one before it on the same page breaks off within a
     * sentence, this is its next line.
     */
    void addParagraphOfLines(int page, CharSequence raw) {
        String content = CleanText.of(raw).strip();
        if (blocks.isEmpty() || content.isEmpty() || !goesOn(blocks.getLast(), page, content)) {
            add(Kind.PARAGRAPH, 0, page, content);
            return;
        }
        DocumentBlock before = blocks.removeLast();
        char last = text.charAt(text.length() - 1);
        if (last != '-' && !CleanText.isWrittenWithoutSpaces(content.charAt(0))) {
            text.append(' ');
        }
        if (text.length() + content.length() > maxCharacters) {
            throw tooLong(maxCharacters);
        }
        text.append(content);
        blocks.add(new DocumentBlock(Kind.PARAGRAPH, 0, before.start(), text.length(), page, ""));
    }

    private boolean goesOn(DocumentBlock before, int page, String content) {
        if (before.kind() != Kind.PARAGRAPH || before.page() != page) {
            return false;
        }
        char last = text.charAt(before.end() - 1);
        char first = content.charAt(0);
        if (CleanText.isWrittenWithoutSpaces(last) && CleanText.isWrittenWithoutSpaces(first)) {
            // Headings have no full stop either, but they are short.
            return Character.isLetter(last) && before.end() - before.start() >= MIN_BROKEN_LINE;
        }
        return Character.isLowerCase(first) && (Character.isLetterOrDigit(last) || last == ',' || last == '-');
    }

    ParsedDocument build(@Nullable String title, String contentType) {
        return new ParsedDocument(text.toString(), title, contentType, blocks);
    }

    static UnparsableDocumentException tooLong(int maxCharacters) {
        return new UnparsableDocumentException("The document holds more than " + maxCharacters
                + " characters of text. Split it into smaller documents.");
    }

    private static boolean continues(Kind before, Kind now) {
        return before == now && (now == Kind.LIST_ITEM || now == Kind.TABLE_ROW);
    }
}
