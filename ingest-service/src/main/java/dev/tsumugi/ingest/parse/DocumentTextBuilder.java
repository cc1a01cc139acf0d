package dev.tsumugi.ingest.parse;

import dev.tsumugi.ingest.parse.DocumentBlock.Kind;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Puts the text of a rich format together block by block, with a blank line between blocks and none within lists and tables. */
final class DocumentTextBuilder {
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
