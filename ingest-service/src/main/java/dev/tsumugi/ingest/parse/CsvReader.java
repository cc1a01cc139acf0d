package dev.tsumugi.ingest.parse;

import dev.tsumugi.ingest.parse.DocumentBlock.Kind;
import java.util.ArrayList;
import java.util.List;

/** CSV (RFC 4180): each record is a row. The first names the columns and so heads all others. The text stays as it is. */
final class CsvReader {
    private static final int MAX_HEADER = 400;

    private CsvReader() {}

    static ParsedDocument read(String text) {
        List<DocumentBlock> blocks = new ArrayList<>();
        boolean quoted = false;
        int start = 0;
        for (int i = 0; i <= text.length(); i++) {
            boolean atEnd = i == text.length();
            char c = atEnd ? '\n' : text.charAt(i);
            if (c == '"') {
                quoted = !quoted;
            } else if (c == '\n' && (atEnd || !quoted)) {
                addRow(text, start, i, blocks);
                start = i + 1;
            }
        }
        return new ParsedDocument(text, null, "text/csv", blocks);
    }

    private static void addRow(String text, int from, int to, List<DocumentBlock> blocks) {
        int start = from;
        int end = to;
        while (start < end && CleanText.isBlank(text.charAt(start))) {
            start++;
        }
        while (end > start && CleanText.isBlank(text.charAt(end - 1))) {
            end--;
        }
        if (start == end) {
            return;
        }
        if (blocks.isEmpty() && end - start <= MAX_HEADER) {
            String label = text.substring(start, end).replaceAll("\\s+", " ");
            blocks.add(new DocumentBlock(Kind.HEADING, 1, start, end, 0, label));
        } else {
            blocks.add(new DocumentBlock(Kind.TABLE_ROW, 0, start, end, 0, ""));
        }
    }
}
