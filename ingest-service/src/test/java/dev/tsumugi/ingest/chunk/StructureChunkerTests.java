package dev.tsumugi.ingest.chunk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tsumugi.ingest.parse.DocumentBlock;
import dev.tsumugi.ingest.parse.DocumentBlock.Kind;
import dev.tsumugi.ingest.parse.ParsedDocument;
import java.text.BreakIterator;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;

class StructureChunkerTests {
    private static final int TARGET = 200;
    private static final int MAX = 256;
    private final Chunker chunker = new StructureChunker(TARGET, MAX, 24);
    private final Chunker small = new StructureChunker(32, 40, 8);

    @Property(tries = 300)
    void every_passage_is_exactly_the_text_between_its_offsets(@ForAll("documents") ParsedDocument document) {
        for (TextChunk chunk : small.chunk(document)) {
            assertThat(chunk.text()).isEqualTo(document.text().substring(chunk.start(), chunk.end()));
            assertThat(chunk.text()).isNotBlank();
        }
    }

    @Property(tries = 300)
    void passages_cover_everything_but_white_space_in_order(@ForAll("documents") ParsedDocument document) {
        BitSet covered = new BitSet();
        int lastEnd = 0;
        for (TextChunk chunk : small.chunk(document)) {
            assertThat(chunk.end()).isGreaterThan(lastEnd);
            lastEnd = chunk.end();
            covered.set(chunk.start(), chunk.end());
        }
        for (int i = 0; i < document.text().length(); i++) {
            char c = document.text().charAt(i);
            assertThat(covered.get(i) || Character.isWhitespace(c) || Character.isSpaceChar(c))
                    .as("character %d (%s)", i, c)
                    .isTrue();
        }
    }

    @Property(tries = 300)
    void no_passage_is_larger_than_allowed_with_its_heading(@ForAll("documents") ParsedDocument document) {
        for (TextChunk chunk : small.chunk(document)) {
            assertThat(TokenEstimate.of(chunk.heading() + "\n" + chunk.text())).isLessThanOrEqualTo(40);
        }
        for (TextChunk chunk : chunker.chunk(document)) {
            assertThat(TokenEstimate.of(chunk.heading() + "\n" + chunk.text())).isLessThanOrEqualTo(MAX);
        }
    }

    @Property(tries = 300)
    void no_passage_begins_or_ends_within_a_grapheme_or_a_word(@ForAll("documents") ParsedDocument document) {
        String text = document.text();
        BreakIterator graphemes = BreakIterator.getCharacterInstance(Locale.ROOT);
        graphemes.setText(text);
        for (TextChunk chunk : chunker.chunk(document)) {
            assertThat(graphemes.isBoundary(chunk.start())).isTrue();
            assertThat(graphemes.isBoundary(chunk.end())).isTrue();
            assertThat(isWithinLatinWord(text, chunk.start())).isFalse();
            assertThat(isWithinLatinWord(text, chunk.end())).isFalse();
        }
    }

    private static boolean isWithinLatinWord(String text, int at) {
        return at > 0 && at < text.length() && isLatin(text.charAt(at - 1)) && isLatin(text.charAt(at));
    }

    private static boolean isLatin(char c) {
        return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z';
    }

    @Provide
    Arbitrary<ParsedDocument> documents() {
        Arbitrary<String> words = Arbitraries.of(
                "the",
                "river",
                "gate",
                "is",
                "opened",
                "by",
                "internationalization",
                "42",
                "2026-11-21",
                "e.g.",
                "end.",
                "Stop!",
                "why?",
                "水門を開ける前に",
                "点検します。",
                "「はい！」",
                "東京、大阪",
                "データベース",
                "😀",
                "👨‍👩‍👧‍👦",
                "か\u3099",
                "e\u0301te\u0301",
                "한국어",
                "\u3000",
                "  ",
                "\n",
                "—",
                "a,b;c",
                "€20");
        Arbitrary<String> content = words.list().ofMinSize(1).ofMaxSize(120).map(list -> String.join(" ", list));
        Arbitrary<Kind> kinds = Arbitraries.of(Kind.values());
        Arbitrary<Integer> levels = Arbitraries.integers().between(1, 6);
        return Combinators.combine(kinds, levels, content)
                .as(Piece::new)
                .list()
                .ofMaxSize(12)
                .map(this::document);
    }

    private record Piece(Kind kind, int level, String text) {}

    private ParsedDocument document(List<Piece> pieces) {
        StringBuilder text = new StringBuilder();
        List<DocumentBlock> blocks = new ArrayList<>();
        for (Piece piece : pieces) {
            int start = text.length();
            text.append(piece.text());
            boolean heading = piece.kind() == Kind.HEADING;
            blocks.add(new DocumentBlock(
                    piece.kind(),
                    heading ? piece.level() : 0,
                    start,
                    text.length(),
                    0,
                    heading ? piece.text().replaceAll("\\s+", " ").strip() : ""));
            text.append("\n\n");
        }
        return new ParsedDocument(text.toString(), null, "text/plain", blocks);
    }

    @Test
    void a_word_without_end_is_cut_into_bounded_pieces() {
        String text = "x".repeat(20_000);

        List<TextChunk> chunks = chunker.chunk(plain(text));

        assertThat(chunks).hasSizeGreaterThan(10);
        assertThat(chunks).allMatch(chunk -> TokenEstimate.of(chunk.text()) <= MAX);
        assertThat(chunks.getLast().end()).isEqualTo(text.length());
    }

    @Test
    void one_grapheme_of_absurd_length_is_cut_too() {
        String text = "a" + "\u0301".repeat(2_000);

        assertThat(chunker.chunk(plain(text))).allMatch(chunk -> TokenEstimate.of(chunk.text()) <= MAX);
    }

    @Test
    void a_million_spaces_within_a_line_cost_no_time() {
        String text = "a" + " ".repeat(1_000_000) + "b".repeat(2_000);

        assertThat(chunker.chunk(plain(text))).isNotEmpty();
    }

    @Test
    void long_japanese_text_is_cut_at_the_ends_of_sentences() {
        String sentence = "夜勤の担当者は、水門を開ける前にすべてのポンプを点検します。";
        List<TextChunk> chunks = chunker.chunk(plain(sentence.repeat(40)));

        assertThat(chunks).hasSizeGreaterThan(4);
        assertThat(chunks)
                .allMatch(chunk -> chunk.text().startsWith("夜勤") && chunk.text().endsWith("点検します。"));
    }

    @Test
    void a_section_begins_a_passage_and_its_parents_are_the_heading() {
        ParsedDocument document = document(List.of(
                new Piece(Kind.HEADING, 1, "Handbook"),
                new Piece(Kind.PARAGRAPH, 0, "Welcome to the company. ".repeat(20)),
                new Piece(Kind.HEADING, 2, "Holidays"),
                new Piece(Kind.PARAGRAPH, 0, "Everyone has thirty days of holiday a year. ".repeat(60))));

        List<TextChunk> chunks = chunker.chunk(document);

        TextChunk section = chunks.stream()
                .filter(chunk -> chunk.text().startsWith("Holidays"))
                .findFirst()
                .orElseThrow();
        assertThat(section.heading()).isEqualTo("Handbook");
        assertThat(chunks.get(chunks.indexOf(section) + 1).heading()).isEqualTo("Handbook > Holidays");
        assertThat(chunks).noneMatch(chunk -> chunk.text().endsWith("Holidays"));
    }

    @Test
    void tiny_sections_share_a_passage() {
        List<Piece> pieces = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            pieces.add(new Piece(Kind.HEADING, 2, "Point " + i));
            pieces.add(new Piece(Kind.PARAGRAPH, 0, "A short remark."));
        }

        assertThat(chunker.chunk(document(pieces))).hasSizeLessThan(4);
    }

    @Test
    void a_heading_without_end_leaves_room_for_the_text() {
        ParsedDocument document = document(List.of(
                new Piece(Kind.HEADING, 1, "very long heading ".repeat(200)),
                new Piece(Kind.PARAGRAPH, 0, "Some text. ".repeat(300))));

        assertThat(chunker.chunk(document))
                .allMatch(chunk -> TokenEstimate.of(chunk.heading() + "\n" + chunk.text()) <= MAX);
    }

    @Test
    void passages_within_a_paragraph_overlap_a_little() {
        List<TextChunk> chunks = chunker.chunk(plain("The gate is opened at six. ".repeat(100)));

        for (int i = 1; i < chunks.size(); i++) {
            assertThat(chunks.get(i).start()).isLessThan(chunks.get(i - 1).end());
            assertThat(TokenEstimate.of(
                            chunks.get(i).text(),
                            0,
                            chunks.get(i - 1).end() - chunks.get(i).start()))
                    .isLessThanOrEqualTo(24);
        }
    }

    private static ParsedDocument plain(String text) {
        return new ParsedDocument(
                text, null, "text/plain", List.of(new DocumentBlock(Kind.PARAGRAPH, 0, 0, text.length(), 0, "")));
    }
}
