package dev.tsumugi.ingest.chunk;

/**
 * A passage of a document.
 *
 * @param start offset of the first character in the parsed text, UTF-16 units
 * @param end offset behind the last character
 * @param heading the headings above the passage, joined by " > ", or empty
 * @param text the parsed text from {@code start} to {@code end}
 */
public record TextChunk(int start, int end, String heading, String text) {}
