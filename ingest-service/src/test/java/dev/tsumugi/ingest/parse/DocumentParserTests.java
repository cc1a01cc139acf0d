package dev.tsumugi.ingest.parse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tsumugi.ingest.parse.DocumentBlock.Kind;
import java.io.ByteArrayOutputStream;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import java.util.zip.ZipOutputStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DocumentParserTests {
    private static final String JAPANESE = "夜勤の担当者は、水門を開ける前にすべてのポンプを点検します。\n圧力が四バールを下回った場合は、第二弁を閉じてください。";

    @TempDir
    Path folder;

    private final DocumentParser parser = new DocumentParser(ParseLimits.DEFAULT);

    private ParsedDocument parse(byte[] content, @Nullable String name, @Nullable String type) throws Exception {
        return parser.parse(Files.write(folder.resolve("document"), content), name, type);
    }

    private static void assertBlocksFit(ParsedDocument document) {
        int at = 0;
        for (DocumentBlock block : document.blocks()) {
            assertThat(block.start()).isGreaterThanOrEqualTo(at);
            assertThat(block.end())
                    .isGreaterThan(block.start())
                    .isLessThanOrEqualTo(document.text().length());
            at = block.end();
        }
    }

    private static String text(ParsedDocument document, DocumentBlock block) {
        return document.text().substring(block.start(), block.end());
    }

    @Test
    void a_sentence_goes_on_in_the_next_line_of_a_pdf_with_wide_lines() throws Exception {
        String page =
                "Temperatures\nIce cream is kept in\nhall C at minus 28 degrees.\nAlarm\nCall the well-\nknown company.";
        ParsedDocument document = parse(TestFiles.pdf(List.of(page), null, 48), null, null);

        assertBlocksFit(document);
        assertThat(document.blocks())
                .extracting(block -> text(document, block))
                .containsExactly(
                        "Temperatures",
                        "Ice cream is kept in hall C at minus 28 degrees.",
                        "Alarm",
                        "Call the well-known company.");
    }

    @Test
    void a_pdf_gives_its_text_page_by_page() throws Exception {
        ParsedDocument document =
                parse(TestFiles.pdf(List.of("The gate opens at six.", "Second page here.")), null, null);

        assertBlocksFit(document);
        assertThat(document.contentType()).isEqualTo("application/pdf");
        assertThat(document.blocks()).extracting(DocumentBlock::page).containsExactly(1, 2);
        assertThat(text(document, document.blocks().getFirst())).isEqualTo("The gate opens at six.");
    }

    @Test
    void lines_of_a_pdf_paragraph_become_one() throws Exception {
        ParsedDocument document = parse(TestFiles.pdf(List.of("The gate\nopens at six.")), null, null);

        assertThat(document.text()).isEqualTo("The gate opens at six.");
    }

    @Test
    void a_word_file_gives_headings_paragraphs_and_rows() throws Exception {
        ParsedDocument document = parse(TestFiles.docx(), "rules.docx", null);

        assertBlocksFit(document);
        assertThat(document.blocks())
                .extracting(DocumentBlock::kind)
                .containsExactly(
                        Kind.HEADING, Kind.PARAGRAPH, Kind.HEADING, Kind.PARAGRAPH, Kind.TABLE_ROW, Kind.TABLE_ROW);
        assertThat(document.blocks().get(2).level()).isEqualTo(2);
        assertThat(document.blocks().get(2).label()).isEqualTo("休暇");
        assertThat(text(document, document.blocks().getLast())).isEqualTo("Sato | 20");
    }

    @Test
    void slides_are_pages() throws Exception {
        ParsedDocument document = parse(TestFiles.pptx(), null, null);

        assertThat(document.text()).contains("First slide about pumps").contains("二枚目のスライド");
        DocumentBlock second = document.blocks().stream()
                .filter(block -> text(document, block).contains("二枚目"))
                .findFirst()
                .orElseThrow();
        assertThat(second.page()).isEqualTo(2);
    }

    @Test
    void a_sheet_has_its_name_as_heading_and_rows() throws Exception {
        ParsedDocument document = parse(TestFiles.xlsx(), null, null);

        assertBlocksFit(document);
        assertThat(document.blocks().getFirst().label()).isEqualTo("Pumps");
        assertThat(document.text()).contains("Pump | Pressure").contains("北棟ポンプ | 4.5");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"Shift_JIS", "windows-31j", "EUC-JP", "ISO-2022-JP", "UTF-8", "UTF-16", "UTF-16LE", "UTF-16BE"})
    void japanese_text_is_read_in_any_usual_encoding(String charset) throws Exception {
        ParsedDocument document = parse(JAPANESE.getBytes(Charset.forName(charset)), "memo.txt", null);

        assertThat(document.text()).isEqualTo(JAPANESE);
        assertThat(document.contentType()).isEqualTo("text/plain");
    }

    @ParameterizedTest
    @ValueSource(strings = {"Shift_JIS", "EUC-JP", "ISO-2022-JP", "UTF-8"})
    void html_without_charset_is_not_taken_for_latin_1(String charset) throws Exception {
        String html = "<html><head><title>点検</title></head><body><h1>水門</h1><p>" + JAPANESE + "</p></body></html>";

        ParsedDocument document = parse(html.getBytes(Charset.forName(charset)), null, null);

        assertThat(document.title()).isEqualTo("点検");
        assertThat(document.contentType()).isEqualTo("text/html");
        assertThat(document.blocks().getFirst().kind()).isEqualTo(Kind.HEADING);
        assertThat(document.text()).contains("ポンプを点検します。圧力が");
    }

    @Test
    void a_charset_that_a_page_or_server_claims_wrongly_does_no_harm() throws Exception {
        String html = "<html><head><meta charset=\"iso-8859-1\"></head><body><p>" + JAPANESE + "</p></body></html>";

        assertThat(parse(html.getBytes(StandardCharsets.UTF_8), null, "text/html; charset=ISO-8859-1")
                        .text())
                .contains("夜勤の担当者");
        assertThat(parse(html.getBytes(Charset.forName("Shift_JIS")), null, "text/html; charset=utf-8")
                        .text())
                .contains("夜勤の担当者");
    }

    @Test
    void european_text_is_not_taken_for_japanese() throws Exception {
        String french =
                "Les élèves étudient à l'école près de la forêt où naît le fleuve. Ça va très bien, merci; être prêt.";

        assertThat(parse(french.getBytes(Charset.forName("windows-1252")), "a.txt", null)
                        .text())
                .isEqualTo(french);
    }

    @Test
    void html_shows_what_a_browser_shows() throws Exception {
        String html = """
                <html><body><nav>Home | About</nav><script>alert('x')</script><style>p{}</style>
                <h2>Rules</h2><p>One  <b>bold</b>
                word.<br>Next line.</p><ul><li>first</li><li>second</li></ul>
                <table><tr><th>Name</th><th>Days</th></tr><tr><td>Sato</td><td>20</td></tr></table></body></html>""";

        ParsedDocument document = parse(html.getBytes(StandardCharsets.UTF_8), null, null);

        assertBlocksFit(document);
        assertThat(document.text())
                .isEqualTo("Rules\n\nOne bold word.\nNext line.\n\nfirst\nsecond\n\nName | Days\nSato | 20");
    }

    @Test
    void markdown_keeps_its_text_and_gives_its_structure() throws Exception {
        String markdown = """
                # Guide to `pumps`

                Intro with *stress*.

                ## Steps ##

                1. Open the gate.
                2. Read the gauge.

                ```sh
                # not a heading
                run it
                ```

                Old style
                ---------

                | a | b |
                |---|---|
                | 1 | 2 |
                """;

        ParsedDocument document = parse(markdown.getBytes(StandardCharsets.UTF_8), "guide.md", null);

        assertBlocksFit(document);
        assertThat(document.text()).isEqualTo(markdown);
        assertThat(document.title()).isEqualTo("Guide to pumps");
        assertThat(document.blocks().stream().filter(block -> block.kind() == Kind.HEADING))
                .extracting(DocumentBlock::label)
                .containsExactly("Guide to pumps", "Steps", "Old style");
        assertThat(document.blocks().stream().filter(block -> block.kind() == Kind.CODE))
                .singleElement()
                .satisfies(code ->
                        assertThat(text(document, code)).startsWith("```sh").endsWith("```"));
    }

    @Test
    void front_matter_names_the_title() throws Exception {
        String markdown = "---\ntitle: \"Night shift\"\ndate: today\n---\n# Other\n\nText.";

        assertThat(parse(markdown.getBytes(StandardCharsets.UTF_8), "a.md", null)
                        .title())
                .isEqualTo("Night shift");
    }

    @Test
    void a_csv_row_may_span_lines_and_the_first_heads_the_others() throws Exception {
        String csv = "name,remark\nSato,\"two\nlines\"\nAbe,none\n";

        ParsedDocument document = parse(csv.getBytes(StandardCharsets.UTF_8), "people.csv", null);

        assertThat(document.blocks()).hasSize(3);
        assertThat(document.blocks().getFirst().label()).isEqualTo("name,remark");
        assertThat(text(document, document.blocks().get(1))).isEqualTo("Sato,\"two\nlines\"");
    }

    @Test
    void the_content_decides_when_the_declared_type_is_wrong() throws Exception {
        assertThat(parse(TestFiles.pdf(List.of("Real text.")), "a.txt", "text/plain")
                        .contentType())
                .isEqualTo("application/pdf");
        assertThat(parse("Just words.".getBytes(StandardCharsets.UTF_8), "a.pdf", "application/pdf")
                        .contentType())
                .isEqualTo("text/plain");
        assertThat(parse(TestFiles.docx(), "a.xlsx", DocumentType.XLSX.mediaType())
                        .contentType())
                .isEqualTo(DocumentType.DOCX.mediaType());
    }

    @Test
    void characters_that_no_database_takes_are_cleaned() throws Exception {
        byte[] content = "one\u0000two\r\nthree\u0007 ｶﾞ か\u3099".getBytes(StandardCharsets.UTF_8);

        String text = parse(
                        concat("some long enough text ".repeat(20).getBytes(StandardCharsets.UTF_8), content),
                        "a.txt",
                        null)
                .text();

        assertThat(text).endsWith("onetwo\nthree ｶﾞ が");
    }

    @Test
    void a_truncated_pdf_says_that_its_end_is_missing() throws Exception {
        byte[] pdf = TestFiles.pdf(List.of("The gate opens at six."));

        assertUnparsable(Arrays.copyOf(pdf, pdf.length / 2), "cut off");
    }

    @Test
    void a_pdf_with_a_damaged_middle_is_unparsable_or_gives_text_but_never_hangs() throws Exception {
        byte[] pdf = TestFiles.pdf(List.of("The gate opens at six."));
        Arrays.fill(pdf, 20, pdf.length - 60, (byte) 'x');

        assertUnparsable(pdf, "damaged");
    }

    @Test
    void an_encrypted_pdf_asks_for_the_protection_to_be_removed() throws Exception {
        assertUnparsable(TestFiles.pdf(List.of("Secret."), "password"), "protected by a password");
    }

    @Test
    void a_scanned_pdf_asks_for_text_recognition() throws Exception {
        assertUnparsable(TestFiles.pdf(List.of("")), "OCR");
    }

    @Test
    void a_truncated_word_file_is_unparsable() throws Exception {
        byte[] docx = TestFiles.docx();

        assertThatThrownBy(
                        () -> parse(Arrays.copyOf(docx, docx.length * 2 / 3), "a.docx", DocumentType.DOCX.mediaType()))
                .isInstanceOf(UnparsableDocumentException.class);
    }

    @Test
    void a_zip_bomb_is_refused() throws Exception {
        assertUnparsable(TestFiles.bomb(), "zip bomb");
    }

    @Test
    void entities_in_an_office_file_are_not_resolved() throws Exception {
        Path secret = Files.writeString(folder.resolve("secret.txt"), "TOPSECRET");
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (ZipInputStream in = new ZipInputStream(new java.io.ByteArrayInputStream(TestFiles.docx()));
                ZipOutputStream zip = new ZipOutputStream(out)) {
            for (ZipEntry entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
                zip.putNextEntry(new ZipEntry(entry.getName()));
                String content = new String(in.readAllBytes(), StandardCharsets.UTF_8);
                if (entry.getName().equals("word/document.xml")) {
                    content = content.replaceFirst(
                                    "<w:document",
                                    "<!DOCTYPE x [<!ENTITY e SYSTEM \"" + secret.toUri() + "\">]><w:document")
                            .replace("The night shift", "&e; The night shift");
                }
                zip.write(content.getBytes(StandardCharsets.UTF_8));
            }
        }

        String text;
        try {
            text = parse(out.toByteArray(), null, null).text();
        } catch (UnparsableDocumentException e) {
            text = String.valueOf(e.getMessage());
        }
        assertThat(text).doesNotContain("TOPSECRET");
    }

    @Test
    void binary_junk_is_not_supported() throws Exception {
        byte[] junk = new byte[50_000];
        new Random(7).nextBytes(junk);

        assertThatThrownBy(() -> parse(junk, "a.txt", "text/plain"))
                .isInstanceOf(UnsupportedDocumentTypeException.class)
                .hasMessageContaining("Send PDF");
    }

    @Test
    void a_picture_is_not_supported() {
        byte[] png = {(byte) 0x89, 'P', 'N', 'G', 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13, 'I', 'H', 'D', 'R'};

        assertThatThrownBy(() -> parse(png, "a.png", "image/png"))
                .isInstanceOf(UnsupportedDocumentTypeException.class)
                .hasMessageContaining("image/png");
    }

    @Test
    void an_empty_file_and_a_blank_one_say_so() throws Exception {
        assertUnparsable(new byte[0], "empty");
        assertUnparsable("  \n \n".getBytes(StandardCharsets.UTF_8), "no text");
    }

    @Test
    void html_nested_without_end_is_read_or_refused_but_does_no_harm() throws Exception {
        byte[] html = ("<html><body>" + "<div>".repeat(100_000) + "deep").getBytes(StandardCharsets.UTF_8);

        assertThat(parse(html, null, "text/html").text()).isEqualTo("deep");
    }

    @Test
    void too_much_text_asks_to_split_the_document() throws Exception {
        DocumentParser strict = new DocumentParser(new ParseLimits(Duration.ofMinutes(1), 1000, 1 << 20));
        Path file = Files.writeString(folder.resolve("long"), "word ".repeat(300));

        assertThatThrownBy(() -> strict.parse(file, null, null))
                .isInstanceOf(UnparsableDocumentException.class)
                .hasMessageContaining("Split it");
    }

    @Test
    void a_document_that_takes_too_long_is_left_behind() throws Exception {
        DocumentParser hasty = new DocumentParser(new ParseLimits(Duration.ofMillis(1), 1000, 1 << 20));
        Path file = Files.write(folder.resolve("slow"), TestFiles.docx());

        assertThatThrownBy(() -> hasty.parse(file, null, null))
                .isInstanceOf(UnparsableDocumentException.class)
                .hasMessageContaining("took longer");
    }

    private void assertUnparsable(byte[] content, String reason) {
        assertThatThrownBy(() -> parse(content, null, null))
                .isInstanceOf(UnparsableDocumentException.class)
                .hasMessageContaining(reason);
    }

    private static byte[] concat(byte[] a, byte[] b) {
        byte[] both = Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, both, a.length, b.length);
        return both;
    }
}
