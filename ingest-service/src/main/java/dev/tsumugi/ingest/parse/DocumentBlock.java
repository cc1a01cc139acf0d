package dev.tsumugi.ingest.parse;

/**
 * A stretch of the parsed text with one role. Blocks follow each other in the order of the text and do not overlap.
 *
 * @param level 1 (highest) to 6 for headings, else 0
 * @param start offset of the first character in the parsed text, UTF-16 units
 * @param end offset behind the last character
 * @param page page, slide or sheet, from 1; 0 where the format has none
 * @param label a heading as it is shown: without markup, on one line; empty for other kinds
 */
public record DocumentBlock(Kind kind, int level, int start, int end, int page, String label) {

    public enum Kind {
        HEADING,
        PARAGRAPH,
        LIST_ITEM,
        TABLE_ROW,
        CODE
    }
}
