package dev.tsumugi.ingest.chunk;

import dev.tsumugi.ingest.chunk.Segment.Boundary;
import dev.tsumugi.ingest.parse.DocumentBlock;
import dev.tsumugi.ingest.parse.DocumentBlock.Kind;
import dev.tsumugi.ingest.parse.ParsedDocument;
import java.text.BreakIterator;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Takes a document apart into {@link Segment}s that cover all of it but white space. Sentences end at {@code . ! ?} before a space and at
 * {@code 。！？} anywhere. A sentence of more than {@code maxTokens} is cut behind commas, then between words, and a single word of that
 * length between grapheme clusters (within one only if it is that long itself).
 */
final class Segmenter {
    private static final String JAPANESE_ENDS = "。！？｡";
    private static final String LATIN_ENDS = ".!?";
    private static final String CLOSERS = "」』）)］]】〉》\"'”’";
    private static final String CLAUSE_ENDS = "、，；,;:：—";

    private final int maxTokens;
    private final ParsedDocument document;
    private final String text;
    private final List<Segment> segments = new ArrayList<>();
    private int block;

    private Segmenter(ParsedDocument document, int maxTokens) {
        this.document = document;
        this.text = document.text();
        this.maxTokens = maxTokens;
    }

    static List<Segment> segments(ParsedDocument document, int maxTokens) {
        Segmenter segmenter = new Segmenter(document, maxTokens);
        segmenter.run();
        return segmenter.segments;
    }

    private void run() {
        int at = 0;
        Kind previous = Kind.PARAGRAPH;
        for (DocumentBlock next : document.blocks()) {
            addBlock(at, next.start(), Kind.PARAGRAPH, Boundary.PARAGRAPH);
            boolean sameList = next.kind() == previous && (previous == Kind.LIST_ITEM || previous == Kind.TABLE_ROW);
            Boundary before =
                    next.kind() == Kind.HEADING ? Boundary.HEADING : sameList ? Boundary.ITEM : Boundary.PARAGRAPH;
            addBlock(next.start(), next.end(), next.kind(), before);
            at = next.end();
            previous = next.kind();
        }
        addBlock(at, text.length(), Kind.PARAGRAPH, Boundary.PARAGRAPH);
    }

    private void addBlock(int from, int to, Kind kind, Boundary before) {
        int start = skipBlank(from, to);
        if (start == to) {
            return;
        }
        block++;
        boolean heading = kind == Kind.HEADING;
        boolean byLine = kind == Kind.CODE;
        Boundary boundary = before;
        int sentence = start;
        for (int i = start; i < to; i++) {
            Boundary after = byLine ? lineEnd(i) : sentenceEnd(i, to);
            if (after != null) {
                int end = byLine ? i + 1 : closersEnd(i + 1, to);
                addSentence(sentence, end, boundary, heading);
                boundary = after;
                i = end - 1;
                sentence = end;
            }
        }
        addSentence(sentence, to, boundary, heading);
    }

    private @Nullable Boundary lineEnd(int i) {
        return text.charAt(i) == '\n' ? Boundary.LINE : null;
    }

    private @Nullable Boundary sentenceEnd(int i, int to) {
        char c = text.charAt(i);
        if (JAPANESE_ENDS.indexOf(c) >= 0) {
            return Boundary.SENTENCE;
        }
        if (c == '\n') {
            return Boundary.LINE;
        }
        if (LATIN_ENDS.indexOf(c) < 0) {
            return null;
        }
        int behind = closersEnd(i + 1, to);
        if (behind >= to || !isBlank(text.charAt(behind))) {
            return null;
        }
        int next = skipBlank(behind, to);
        // "approx. five" goes on; "No. 5" is cut, which harms little.
        return next < to && Character.isLowerCase(text.charAt(next)) ? null : Boundary.SENTENCE;
    }

    private int closersEnd(int from, int to) {
        int i = from;
        while (i < to && (CLOSERS.indexOf(text.charAt(i)) >= 0 || JAPANESE_ENDS.indexOf(text.charAt(i)) >= 0)) {
            i++;
        }
        // A combining mark or variation selector belongs to what it follows.
        while (i < to && isMark(text.charAt(i))) {
            i++;
        }
        return i;
    }

    private void addSentence(int from, int to, Boundary before, boolean heading) {
        int start = skipBlank(from, to);
        int end = to;
        while (end > start && isBlank(text.charAt(end - 1))) {
            end--;
        }
        if (start == end) {
            return;
        }
        int tokens = TokenEstimate.of(text, start, end);
        if (tokens <= maxTokens) {
            segments.add(new Segment(start, end, tokens, before, heading, block));
        } else {
            cut(start, end, before, heading);
        }
    }

    /** Packs the words of a long sentence into pieces, and ends a piece early behind a comma if it is half full. */
    private void cut(int from, int to, Boundary before, boolean heading) {
        String sentence = text.substring(from, to);
        BreakIterator words = BreakIterator.getWordInstance(Locale.ROOT);
        words.setText(sentence);
        BreakIterator graphemes = BreakIterator.getCharacterInstance(Locale.ROOT);
        graphemes.setText(sentence);
        Boundary boundary = before;
        int start = from;
        int end = from;
        int tokens = 0;
        for (int next = words.next(); next != BreakIterator.DONE; next = words.next()) {
            if (!graphemes.isBoundary(next)) {
                // Word rules cut emoji that are joined into one.
                continue;
            }
            int wordEnd = from + next;
            int wordTokens = TokenEstimate.of(text, end, wordEnd);
            if (tokens + wordTokens > maxTokens) {
                boundary = addPiece(start, end, boundary, heading);
                start = end;
                tokens = 0;
            }
            if (wordTokens > maxTokens) {
                cutWord(start, wordEnd, boundary, heading);
                boundary = Boundary.WORD;
                start = wordEnd;
            } else {
                tokens += wordTokens;
                if (CLAUSE_ENDS.indexOf(text.charAt(wordEnd - 1)) >= 0 && tokens * 2 >= maxTokens) {
                    addPiece(start, wordEnd, boundary, heading);
                    boundary = Boundary.CLAUSE;
                    start = wordEnd;
                    tokens = 0;
                }
            }
            end = wordEnd;
        }
        addPiece(start, to, boundary, heading);
    }

    private void cutWord(int from, int to, Boundary before, boolean heading) {
        BreakIterator graphemes = BreakIterator.getCharacterInstance(Locale.ROOT);
        graphemes.setText(text.substring(from, to));
        Boundary boundary = before;
        int start = from;
        int end = from;
        for (int next = graphemes.next(); next != BreakIterator.DONE; next = graphemes.next()) {
            int graphemeEnd = from + next;
            while (TokenEstimate.of(text, start, graphemeEnd) > maxTokens) {
                int cut = end > start ? end : codePointsThatFit(start, graphemeEnd);
                addPiece(start, cut, boundary, heading);
                boundary = Boundary.WITHIN_WORD;
                start = cut;
                end = cut;
            }
            end = graphemeEnd;
        }
        addPiece(start, to, boundary, heading);
    }

    private int codePointsThatFit(int start, int to) {
        int end = start;
        while (end < to) {
            int next = end + Character.charCount(text.codePointAt(end));
            if (TokenEstimate.of(text, start, next) > maxTokens && end > start) {
                break;
            }
            end = next;
        }
        return end;
    }

    private Boundary addPiece(int from, int to, Boundary before, boolean heading) {
        int start = skipBlank(from, to);
        int end = to;
        while (end > start && isBlank(text.charAt(end - 1))) {
            end--;
        }
        if (start < end) {
            segments.add(new Segment(start, end, TokenEstimate.of(text, start, end), before, heading, block));
            return Boundary.WORD;
        }
        return before;
    }

    private int skipBlank(int from, int to) {
        int i = from;
        while (i < to && isBlank(text.charAt(i))) {
            i++;
        }
        return i;
    }

    private static boolean isBlank(char c) {
        return Character.isWhitespace(c) || Character.isSpaceChar(c);
    }

    private static boolean isMark(char c) {
        int type = Character.getType(c);
        return type == Character.NON_SPACING_MARK
                || type == Character.COMBINING_SPACING_MARK
                || type == Character.ENCLOSING_MARK
                || c == '\u200D';
    }
}
