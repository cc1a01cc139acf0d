package dev.tsumugi.ingest.parse;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import org.apache.tika.detect.DefaultDetector;
import org.apache.tika.detect.Detector;
import org.apache.tika.io.TikaInputStream;
import org.apache.tika.metadata.Metadata;
import org.apache.tika.mime.MediaType;
import org.jspecify.annotations.Nullable;

/**
 * Finds out what a file is. Its content decides; the declared type and the file name only tell kinds of text apart, which look alike from
 * within.
 */
final class TypeDetector {
    private static final int PREFIX = 64 * 1024;
    private static final Pattern HTML_START = Pattern.compile(
            "(?is)\\A\\s*(?:<\\?xml[^>]{0,200}>\\s*)?(?:<!--.{0,2000}?-->\\s*){0,20}<(?:!doctype\\s+html|html|head|body)\\b.*");
    private static final Pattern HTML_TAG =
            Pattern.compile("(?i)<(?:p|div|h[1-6]|body|html|table|ul|ol|span|br|title|meta)\\b[^>]{0,500}>");
    private static final Map<String, DocumentType> BY_EXTENSION = Map.of(
            "md", DocumentType.MARKDOWN,
            "markdown", DocumentType.MARKDOWN,
            "csv", DocumentType.CSV,
            "html", DocumentType.HTML,
            "htm", DocumentType.HTML,
            "xhtml", DocumentType.HTML,
            "txt", DocumentType.PLAIN_TEXT);
    private static final Map<String, DocumentType> BY_DECLARATION = Map.of(
            "text/markdown", DocumentType.MARKDOWN,
            "text/x-markdown", DocumentType.MARKDOWN,
            "text/x-web-markdown", DocumentType.MARKDOWN,
            "text/csv", DocumentType.CSV,
            "text/html", DocumentType.HTML,
            "application/xhtml+xml", DocumentType.HTML);

    private final Detector detector = new DefaultDetector();
    private final long maxUnpackedBytes;

    TypeDetector(long maxUnpackedBytes) {
        this.maxUnpackedBytes = maxUnpackedBytes;
    }

    /**
     * @param declared the content type that came with the file, parameters allowed
     * @throws UnsupportedDocumentTypeException for a format that is not read here
     * @throws UnparsableDocumentException for a zip container that is damaged or a bomb
     */
    DocumentType detect(Path file, @Nullable String fileName, @Nullable String declared) throws IOException {
        if (isZip(file)) {
            // Telling Office files apart means to look into them.
            ZipGuard.check(file, maxUnpackedBytes);
        }
        MediaType found;
        try (TikaInputStream in = TikaInputStream.get(file)) {
            found = detector.detect(in, new Metadata()).getBaseType();
        }
        for (DocumentType type : DocumentType.values()) {
            if (!type.isText() && type.mediaType().equals(found.toString())) {
                return type;
            }
        }
        if (isTextual(found)) {
            return textType(file, found, fileName, declared);
        }
        if (found.equals(MediaType.OCTET_STREAM)
                && TextDecoder.decode(prefix(file), charsetOf(declared)).isPresent()) {
            return textType(file, found, fileName, declared);
        }
        throw new UnsupportedDocumentTypeException(
                found.equals(MediaType.OCTET_STREAM) ? "binary data of an unknown kind" : found.toString());
    }

    /** Textual formats that Tika names apart (XML, JSON, source code, mail) are read as the text they are. */
    private static boolean isTextual(MediaType type) {
        return type.getType().equals("text")
                || type.getSubtype().equals("xml")
                || type.getSubtype().endsWith("+xml") && !type.getType().equals("image")
                || java.util.Set.of("json", "javascript", "x-sh", "x-yaml", "sql", "x-bat", "x-tex")
                        .contains(type.getSubtype());
    }

    private static DocumentType textType(
            Path file, MediaType found, @Nullable String fileName, @Nullable String declared) throws IOException {
        String start = TextDecoder.decode(prefix(file), charsetOf(declared)).orElse("");
        if (HTML_START.matcher(start.stripLeading().replace("\uFEFF", "")).matches()) {
            return DocumentType.HTML;
        }
        DocumentType hinted = hint(fileName, declared);
        if (hinted == DocumentType.HTML && !HTML_TAG.matcher(start).find()) {
            return DocumentType.PLAIN_TEXT;
        }
        return hinted;
    }

    private static DocumentType hint(@Nullable String fileName, @Nullable String declared) {
        if (declared != null) {
            DocumentType type =
                    BY_DECLARATION.get(declared.split(";", 2)[0].strip().toLowerCase(Locale.ROOT));
            if (type != null) {
                return type;
            }
        }
        if (fileName != null) {
            String extension = fileName.substring(fileName.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT);
            return BY_EXTENSION.getOrDefault(extension, DocumentType.PLAIN_TEXT);
        }
        return DocumentType.PLAIN_TEXT;
    }

    private static boolean isZip(Path file) throws IOException {
        try (var in = Files.newInputStream(file)) {
            byte[] start = in.readNBytes(4);
            return start.length == 4 && start[0] == 'P' && start[1] == 'K' && start[2] == 3 && start[3] == 4;
        }
    }

    /** The charset parameter of a content type, if it has one. */
    static @Nullable String charsetOf(@Nullable String contentType) {
        if (contentType == null) {
            return null;
        }
        String lower = contentType.toLowerCase(Locale.ROOT);
        int at = lower.indexOf("charset=");
        if (at < 0) {
            return null;
        }
        String value = lower.substring(at + "charset=".length());
        int end = value.indexOf(';');
        return (end < 0 ? value : value.substring(0, end)).replace("\"", "").strip();
    }

    /** The first bytes, cut where a character ends in UTF-8, Shift_JIS and EUC-JP: behind an ASCII character, if there is one. */
    private static byte[] prefix(Path file) throws IOException {
        byte[] bytes;
        try (var in = Files.newInputStream(file)) {
            bytes = in.readNBytes(PREFIX);
        }
        if (bytes.length < PREFIX) {
            return bytes;
        }
        int end = bytes.length;
        while (end > PREFIX / 2 && bytes[end - 1] != '\n' && bytes[end - 1] != ' ') {
            end--;
        }
        if (end == PREFIX / 2) {
            end = utf8End(bytes);
        }
        // UTF-16 needs an even number of bytes.
        end -= end > 1 && looksWide(bytes) ? end % 2 : 0;
        return java.util.Arrays.copyOf(bytes, end);
    }

    private static int utf8End(byte[] bytes) {
        int end = bytes.length;
        while (end > bytes.length - 4 && (bytes[end - 1] & 0xC0) == 0x80) {
            end--;
        }
        return bytes[end - 1] < 0 ? end - 1 : end;
    }

    private static boolean looksWide(byte[] bytes) {
        return new String(bytes, 0, Math.min(bytes.length, 512), StandardCharsets.ISO_8859_1).indexOf('\0') >= 0;
    }
}
