package dev.tsumugi.ingest.chunk;

import dev.tsumugi.ingest.parse.DocumentBlock;
import dev.tsumugi.ingest.parse.DocumentBlock.Kind;
import dev.tsumugi.ingest.parse.ParsedDocument;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.stream.Collectors;

/** The headings above a place in the text, asked for places in ascending order. */
final class HeadingPath {
    private static final String SEPARATOR = " > ";

    private final Iterator<DocumentBlock> headings;
    private final int maxTokens;
    private final Deque<DocumentBlock> open = new ArrayDeque<>();
    private DocumentBlock upcoming;
    private boolean exhausted;

    HeadingPath(ParsedDocument document, int maxTokens) {
        this.headings = document.blocks().stream()
                .filter(block -> block.kind() == Kind.HEADING && !block.label().isBlank())
                .iterator();
        this.maxTokens = maxTokens;
        this.exhausted = !headings.hasNext();
        this.upcoming = exhausted ? new DocumentBlock(Kind.HEADING, 1, 0, 0, 0, "") : headings.next();
    }

    /** The path at {@code offset}: headings that begin before it; one that begins at it belongs to the passage itself, and closes its equals. */
    String at(int offset) {
        while (!exhausted && upcoming.start() < offset) {
            closeDownTo(upcoming.level());
            open.addLast(upcoming);
            advance();
        }
        int level = !exhausted && upcoming.start() == offset ? upcoming.level() : Integer.MAX_VALUE;
        String path = open.stream()
                .filter(heading -> heading.level() < level)
                .map(DocumentBlock::label)
                .collect(Collectors.joining(SEPARATOR));
        return shorten(path);
    }

    private void closeDownTo(int level) {
        while (!open.isEmpty() && open.getLast().level() >= level) {
            open.removeLast();
        }
    }

    private void advance() {
        if (headings.hasNext()) {
            upcoming = headings.next();
        } else {
            exhausted = true;
        }
    }

    /** The nearest headings say most: what does not fit is left out from the front. */
    private String shorten(String path) {
        String rest = path;
        while (TokenEstimate.of(rest) > maxTokens) {
            int next = rest.indexOf(SEPARATOR);
            if (next < 0) {
                return prefixThatFits(rest);
            }
            rest = rest.substring(next + SEPARATOR.length());
        }
        return rest;
    }

    private String prefixThatFits(String label) {
        java.text.BreakIterator graphemes = java.text.BreakIterator.getCharacterInstance(java.util.Locale.ROOT);
        graphemes.setText(label);
        int end = 0;
        for (int next = graphemes.next(); next != java.text.BreakIterator.DONE; next = graphemes.next()) {
            if (TokenEstimate.of(label, 0, next) > maxTokens) {
                break;
            }
            end = next;
        }
        return label.substring(0, end).strip();
    }
}
