package dev.tsumugi.ingest.chunk;

import dev.tsumugi.ingest.parse.ParsedDocument;
import java.util.ArrayList;
import java.util.List;

/**
 * Passages as a {@link SeparatorSplitter} cuts them, found again in the text. Where the splitter dropped doubled separators a chunk is no
 * part of the text; the passage then reaches from its first to its last piece in the text.
 */
final class SeparatorChunker implements Chunker {
    private static final int MAX_HEADING_TOKENS = 64;

    private final SeparatorSplitter splitter;

    SeparatorChunker(SeparatorSplitter splitter) {
        this.splitter = splitter;
    }

    @Override
    public List<TextChunk> chunk(ParsedDocument document) {
        String text = document.text();
        HeadingPath headings = new HeadingPath(document, MAX_HEADING_TOKENS);
        List<TextChunk> chunks = new ArrayList<>();
        int lastStart = 0;
        int lastEnd = 0;
        for (String chunk : splitter.split(text)) {
            Span span = find(text, chunk, Math.max(lastStart, earliest(text, lastEnd)));
            lastStart = span.start();
            lastEnd = span.end();
            chunks.add(new TextChunk(
                    span.start(), span.end(), headings.at(span.start()), text.substring(span.start(), span.end())));
        }
        return chunks;
    }

    private record Span(int start, int end) {}

    /** As far before {@code end} as the overlap allows the next chunk to begin. */
    private int earliest(String text, int end) {
        int at = end;
        while (at > 0) {
            int before = at - Character.charCount(text.codePointBefore(at));
            if (!splitter.fitsOverlap(text.substring(before, end))) {
                break;
            }
            at = before;
        }
        return at;
    }

    private static Span find(String text, String chunk, int from) {
        int at = text.indexOf(chunk, from);
        if (at >= 0) {
            return new Span(at, at + chunk.length());
        }
        return spread(text, chunk, from);
    }

    /** Where the characters of {@code chunk} stand in the text when white space and separators may lie between them. */
    private static Span spread(String text, String chunk, int from) {
        int start = text.indexOf(chunk.charAt(0), from);
        while (start >= 0) {
            int at = start;
            int matched = 0;
            while (at < text.length() && matched < chunk.length()) {
                if (text.charAt(at) == chunk.charAt(matched)) {
                    matched++;
                } else if (matched == 0 || at - start > 4 * chunk.length() + 64) {
                    break;
                }
                at++;
            }
            if (matched == chunk.length()) {
                return new Span(start, at);
            }
            start = text.indexOf(chunk.charAt(0), start + 1);
        }
        throw new IllegalStateException("a chunk was not found in the text it was cut from");
    }
}
