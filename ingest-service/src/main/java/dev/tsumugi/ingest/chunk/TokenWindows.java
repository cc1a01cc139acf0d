package dev.tsumugi.ingest.chunk;

import dev.tsumugi.ingest.parse.ParsedDocument;
import java.util.ArrayList;
import java.util.List;

/**
 * Passages of a fixed number of tokens, as LangChain's {@code TokenTextSplitter} cuts them: blind for structure, each beginning
 * {@code overlap} tokens before the end of the last. Tokens are those of {@link TokenEstimate}.
 */
final class TokenWindows implements Chunker {
    private static final int MAX_HEADING_TOKENS = 64;

    private final int size;
    private final int overlap;

    TokenWindows(int size, int overlap) {
        if (overlap >= size) {
            throw new IllegalArgumentException("overlap " + overlap + " must be below size " + size);
        }
        this.size = size;
        this.overlap = overlap;
    }

    /** Token numbers from {@code from} to before {@code to}. */
    record Window(int from, int to) {}

    /** The windows over {@code tokens} tokens; the last ends with the last token. */
    List<Window> windows(int tokens) {
        List<Window> windows = new ArrayList<>();
        for (int from = 0; from < tokens; from += size - overlap) {
            int to = Math.min(from + size, tokens);
            windows.add(new Window(from, to));
            if (to == tokens) {
                break;
            }
        }
        return windows;
    }

    @Override
    public List<TextChunk> chunk(ParsedDocument document) {
        String text = document.text();
        int[] starts = TokenEstimate.starts(text).toArray();
        HeadingPath headings = new HeadingPath(document, MAX_HEADING_TOKENS);
        List<TextChunk> chunks = new ArrayList<>();
        for (Window window : windows(starts.length)) {
            int start = starts[window.from()];
            int end = window.to() == starts.length ? text.length() : starts[window.to()];
            while (end > start && isBlank(text.charAt(end - 1))) {
                end--;
            }
            chunks.add(new TextChunk(start, end, headings.at(start), text.substring(start, end)));
        }
        return chunks;
    }

    private static boolean isBlank(char c) {
        return Character.isWhitespace(c) || Character.isSpaceChar(c);
    }
}
