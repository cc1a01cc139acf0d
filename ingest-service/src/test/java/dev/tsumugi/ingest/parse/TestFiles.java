package dev.tsumugi.ingest.parse;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import java.util.zip.ZipOutputStream;
import org.apache.pdfbox.pdmodel.PDDocument;
import org.apache.pdfbox.pdmodel.PDPage;
import org.apache.pdfbox.pdmodel.PDPageContentStream;
import org.apache.pdfbox.pdmodel.encryption.AccessPermission;
import org.apache.pdfbox.pdmodel.encryption.StandardProtectionPolicy;
import org.apache.pdfbox.pdmodel.font.PDType1Font;
import org.apache.pdfbox.pdmodel.font.Standard14Fonts;
import org.apache.poi.xslf.usermodel.XMLSlideShow;
import org.apache.poi.xssf.usermodel.XSSFWorkbook;
import org.apache.poi.xwpf.usermodel.XWPFDocument;
import org.apache.poi.xwpf.usermodel.XWPFParagraph;

/** Small real files, made by the libraries that write such files. */
public final class TestFiles {
    private TestFiles() {}

    public static byte[] pdf(List<String> pages) throws IOException {
        return pdf(pages, null);
    }

    static byte[] pdf(List<String> pages, String password) throws IOException {
        return pdf(pages, password, 14);
    }

    /** @param leading points from line to line; the letters are of 12 points */
    static byte[] pdf(List<String> pages, String password, float leading) throws IOException {
        try (PDDocument document = new PDDocument();
                ByteArrayOutputStream out = new ByteArrayOutputStream()) {
            for (String text : pages) {
                PDPage page = new PDPage();
                document.addPage(page);
                if (text.isEmpty()) {
                    continue;
                }
                try (PDPageContentStream content = new PDPageContentStream(document, page)) {
                    content.beginText();
                    content.setFont(new PDType1Font(Standard14Fonts.FontName.HELVETICA), 12);
                    content.newLineAtOffset(50, 700);
                    content.setLeading(leading);
                    for (String line : text.split("\n")) {
                        content.showText(line);
                        content.newLine();
                    }
                    content.endText();
                }
            }
            if (password != null) {
                document.protect(new StandardProtectionPolicy(password, password, new AccessPermission()));
            }
            document.save(out);
            return out.toByteArray();
        }
    }

    static byte[] docx() throws IOException {
        try (XWPFDocument document = new XWPFDocument();
                ByteArrayOutputStream out = new ByteArrayOutputStream()) {
            var styles = document.createStyles();
            for (int level = 1; level <= 2; level++) {
                var style = org.openxmlformats.schemas.wordprocessingml.x2006.main.CTStyle.Factory.newInstance();
                style.setStyleId("Heading" + level);
                style.addNewName().setVal("heading " + level);
                style.setType(org.openxmlformats.schemas.wordprocessingml.x2006.main.STStyleType.PARAGRAPH);
                styles.addStyle(new org.apache.poi.xwpf.usermodel.XWPFStyle(style));
            }
            paragraph(document, "Heading1", "Work rules");
            paragraph(document, null, "The night shift checks every pump.");
            paragraph(document, "Heading2", "休暇");
            paragraph(document, null, "年次有給休暇は二十日です。");
            var table = document.createTable(2, 2);
            table.getRow(0).getCell(0).setText("Name");
            table.getRow(0).getCell(1).setText("Days");
            table.getRow(1).getCell(0).setText("Sato");
            table.getRow(1).getCell(1).setText("20");
            document.write(out);
            return out.toByteArray();
        }
    }

    private static void paragraph(XWPFDocument document, String style, String text) {
        XWPFParagraph paragraph = document.createParagraph();
        if (style != null) {
            paragraph.setStyle(style);
        }
        paragraph.createRun().setText(text);
    }

    static byte[] pptx() throws IOException {
        try (XMLSlideShow show = new XMLSlideShow();
                ByteArrayOutputStream out = new ByteArrayOutputStream()) {
            for (String text : List.of("First slide about pumps", "二枚目のスライド")) {
                show.createSlide().createTextBox().setText(text);
            }
            show.write(out);
            return out.toByteArray();
        }
    }

    static byte[] xlsx() throws IOException {
        try (XSSFWorkbook workbook = new XSSFWorkbook();
                ByteArrayOutputStream out = new ByteArrayOutputStream()) {
            var sheet = workbook.createSheet("Pumps");
            var head = sheet.createRow(0);
            head.createCell(0).setCellValue("Pump");
            head.createCell(1).setCellValue("Pressure");
            var row = sheet.createRow(1);
            row.createCell(0).setCellValue("北棟ポンプ");
            row.createCell(1).setCellValue(4.5);
            workbook.write(out);
            return out.toByteArray();
        }
    }

    /** A sheet with a line of its own above its columns, and many rows. */
    public static byte[] longXlsx(int rows) throws IOException {
        try (XSSFWorkbook workbook = new XSSFWorkbook();
                ByteArrayOutputStream out = new ByteArrayOutputStream()) {
            var sheet = workbook.createSheet("Readings");
            sheet.createRow(0).createCell(0).setCellValue("As of 31 March");
            var head = sheet.createRow(1);
            head.createCell(0).setCellValue("Pump");
            head.createCell(1).setCellValue("Pressure in bar");
            for (int i = 0; i < rows; i++) {
                var row = sheet.createRow(2 + i);
                row.createCell(0).setCellValue("Pump number " + i);
                row.createCell(1).setCellValue(i + 0.5);
            }
            var notes = workbook.createSheet("Notes").createRow(0);
            notes.createCell(0).setCellValue("Author");
            notes.createCell(1).setCellValue("Remark");
            workbook.write(out);
            return out.toByteArray();
        }
    }

    /** A Word file of some 100 kB whose text unpacks to 30 MB. */
    public static byte[] bomb() throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (ZipInputStream in = new ZipInputStream(new ByteArrayInputStream(docx()));
                ZipOutputStream zip = new ZipOutputStream(out)) {
            for (ZipEntry entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
                zip.putNextEntry(new ZipEntry(entry.getName()));
                byte[] content = in.readAllBytes();
                if (!entry.getName().equals("word/document.xml")) {
                    zip.write(content);
                    continue;
                }
                String xml = new String(content, StandardCharsets.UTF_8);
                int body = xml.indexOf("<w:p>") < 0 ? xml.indexOf("<w:p ") : xml.indexOf("<w:p>");
                zip.write(xml.substring(0, body).getBytes(StandardCharsets.UTF_8));
                byte[] filler =
                        "<w:p><w:r><w:t>bomb</w:t></w:r></w:p>".repeat(20_000).getBytes(StandardCharsets.UTF_8);
                for (int i = 0; i < 40; i++) {
                    zip.write(filler);
                }
                zip.write(xml.substring(body).getBytes(StandardCharsets.UTF_8));
            }
        }
        return out.toByteArray();
    }
}
