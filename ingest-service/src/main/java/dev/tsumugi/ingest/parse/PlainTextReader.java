package dev.tsumugi.ingest.parse;

import dev.tsumugi.ingest.parse.DocumentBlock.Kind;
import java.util.ArrayList;
import java.util.List;

/** Plain text: paragraphs between blank lines. The text itself stays as it is. */
final class PlainTextReader {
    private PlainTextReader() {}

    static ParsedDocument read(String text, String contentType) {
        List<DocumentBlock> blocks = new ArrayList<>();
        int start = -1;
        int end = 0;
        for (Lines lines = new Lines(text); lines.next(); ) {
            if (lines.isBlank()) {
                if (start >= 0) {
                    blocks.add(new DocumentBlock(Kind.PARAGRAPH, 0, start, end, 0, ""));
                    start = -1;
                }
            } else {
                if (start < 0) {
                    start = lines.contentStart();
                }
                end = lines.contentEnd();
            }
        }
        if (start >= 0) {
            blocks.add(new DocumentBlock(Kind.PARAGRAPH, 0, start, end, 0, ""));
        }
        return new ParsedDocument(text, null, contentType, blocks);
    }
}
