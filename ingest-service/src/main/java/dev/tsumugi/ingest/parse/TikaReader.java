package dev.tsumugi.ingest.parse;

import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.apache.poi.openxml4j.util.ZipSecureFile;
import org.apache.tika.exception.EncryptedDocumentException;
import org.apache.tika.exception.TikaException;
import org.apache.tika.exception.WriteLimitReachedException;
import org.apache.tika.extractor.EmbeddedDocumentExtractor;
import org.apache.tika.io.TikaInputStream;
import org.apache.tika.metadata.Metadata;
import org.apache.tika.metadata.TikaCoreProperties;
import org.apache.tika.parser.ParseContext;
import org.apache.tika.parser.Parser;
import org.apache.tika.parser.microsoft.OfficeParserConfig;
import org.apache.tika.parser.microsoft.ooxml.OOXMLParser;
import org.apache.tika.parser.pdf.PDFParser;
import org.apache.tika.parser.pdf.PDFParserConfig;
import org.jspecify.annotations.Nullable;
import org.xml.sax.ContentHandler;
import org.xml.sax.SAXException;

/**
 * PDF and Office files by Apache Tika. Attachments and pictures are left alone, nothing is fetched, and Tika's XML readers resolve no
 * external entities.
 */
final class TikaReader {
    private static final int PDF_MEMORY = 64 << 20;
    private static final int PDF_TAIL = 64 * 1024;
    private static final double MIN_INFLATE_RATIO = 0.005;

    static {
        // POI's own guard, behind the ZipGuard of TypeDetector.
        ZipSecureFile.setMinInflateRatio(MIN_INFLATE_RATIO);
    }

    private final ParseLimits limits;

    TikaReader(ParseLimits limits) {
        this.limits = limits;
    }

    ParsedDocument read(Path file, DocumentType type) throws IOException {
        if (type == DocumentType.PDF && !endsLikePdf(file)) {
            throw new UnparsableDocumentException(
                    "The PDF is cut off: its end is missing. The transfer was probably interrupted; send the file again.");
        }
        DocumentTextBuilder text = new DocumentTextBuilder(limits.maxCharacters());
        Metadata metadata = new Metadata();
        try (TikaInputStream in = TikaInputStream.get(file)) {
            Parser parser = type == DocumentType.PDF ? new PDFParser() : new OOXMLParser();
            parser.parse(in, new XhtmlBlocks(text, limits.maxCharacters(), type), metadata, context());
        } catch (EncryptedDocumentException e) {
            throw encrypted(e);
        } catch (WriteLimitReachedException e) {
            throw DocumentTextBuilder.tooLong(limits.maxCharacters());
        } catch (TikaException | SAXException | IOException e) {
            throw translate(e);
        }
        return text.build(title(metadata), type.mediaType());
    }

    private static UnparsableDocumentException translate(Exception e) {
        for (Throwable t = e; t != null; t = t.getCause()) {
            if (t instanceof UnparsableDocumentException known) {
                return known;
            }
            if (t instanceof EncryptedDocumentException || t instanceof org.apache.poi.EncryptedDocumentException) {
                return encrypted(e);
            }
        }
        return new UnparsableDocumentException(
                "The document is damaged or incomplete: " + reason(e)
                        + ". Open it in the program that made it, save it anew and send it again.",
                e);
    }

    private static UnparsableDocumentException encrypted(Exception e) {
        return new UnparsableDocumentException(
                "The document is protected by a password. Remove the protection and send it again.", e);
    }

    private static String reason(Throwable e) {
        Throwable root = e;
        while (root.getCause() != null && root.getCause() != root) {
            root = root.getCause();
        }
        String message = root.getMessage() == null ? root.getClass().getSimpleName() : root.getMessage();
        String line = message.lines().findFirst().orElse("").strip();
        return line.length() <= 200 ? line : line.substring(0, 200) + "...";
    }

    private static ParseContext context() {
        ParseContext context = new ParseContext();
        PDFParserConfig pdf = new PDFParserConfig();
        pdf.setOcrStrategy(PDFParserConfig.OCR_STRATEGY.NO_OCR);
        pdf.setExtractInlineImages(false);
        pdf.setExtractBookmarksText(false);
        pdf.setMaxMainMemoryBytes(PDF_MEMORY);
        pdf.setCatchIntermediateIOExceptions(false);
        context.set(PDFParserConfig.class, pdf);
        OfficeParserConfig office = new OfficeParserConfig();
        office.setExtractMacros(false);
        office.setIncludeDeletedContent(false);
        context.set(OfficeParserConfig.class, office);
        context.set(EmbeddedDocumentExtractor.class, new NoEmbeddedDocuments());
        return context;
    }

    private static @Nullable String title(Metadata metadata) {
        String title = metadata.get(TikaCoreProperties.TITLE);
        if (title == null) {
            return null;
        }
        String clean = CleanText.of(title).strip().replaceAll("\\s+", " ");
        // What a printer driver wrote is no title.
        boolean meant = !clean.isEmpty() && !clean.matches("(?i)untitled.*|microsoft word - .*|slide 1|powerpoint.*");
        return meant ? clean : null;
    }

    /** A PDF ends with %%EOF; some programs append a little behind it. */
    private static boolean endsLikePdf(Path file) throws IOException {
        try (RandomAccessFile in = new RandomAccessFile(file.toFile(), "r")) {
            int n = (int) Math.min(in.length(), PDF_TAIL);
            byte[] tail = new byte[n];
            in.seek(in.length() - n);
            in.readFully(tail);
            return new String(tail, StandardCharsets.ISO_8859_1).contains("%%EOF");
        }
    }

    private static final class NoEmbeddedDocuments implements EmbeddedDocumentExtractor {
        @Override
        public boolean shouldParseEmbedded(Metadata metadata) {
            return false;
        }

        @Override
        public void parseEmbedded(InputStream stream, ContentHandler handler, Metadata metadata, boolean outputHtml) {}
    }
}
