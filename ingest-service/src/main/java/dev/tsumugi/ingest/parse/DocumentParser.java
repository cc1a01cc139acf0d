package dev.tsumugi.ingest.parse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Turns a file into text with structure, within {@link ParseLimits}. Each document is parsed on a thread of its own, which is interrupted
 * and left behind when it takes too long, so that a document that traps its parser holds up no other. Thread-safe.
 */
public final class DocumentParser {
    private static final Pattern META_CHARSET =
            Pattern.compile("(?is)<meta\\b[^>]{0,300}?charset\\s*=\\s*[\"']?\\s*([a-z0-9_:.-]{2,40})");
    private static final Pattern XML_ENCODING =
            Pattern.compile("(?is)\\A\\s*<\\?xml\\b[^>]{0,200}?encoding\\s*=\\s*[\"']([a-z0-9_:.-]{2,40})");
    private static final int META_PREFIX = 4096;
    /** No encoding here takes more bytes a character. */
    private static final int MAX_BYTES_PER_CHARACTER = 4;

    private final ParseLimits limits;
    private final TikaReader tika;
    private volatile @Nullable TypeDetector detector;
    private final AtomicInteger count = new AtomicInteger();

    public DocumentParser(ParseLimits limits) {
        this.limits = limits;
        this.tika = new TikaReader(limits);
    }

    /** Loads what the first document would otherwise wait for. */
    public void warmUp() {
        detector();
    }

    /**
     * Cheap: reads the beginning of the file; a zip container it unpacks once, into nothing.
     *
     * @param declaredType content type that came with the file; counts only where the content leaves it open
     * @throws UnsupportedDocumentTypeException for a format that is not read
     * @throws UnparsableDocumentException for a zip container that is damaged or a bomb
     */
    public DocumentType detect(Path file, @Nullable String fileName, @Nullable String declaredType) throws IOException {
        return detector().detect(file, fileName, declaredType);
    }

    /**
     * @throws UnparsableDocumentException when no text can be had, with the reason and what to do
     * @throws IOException when there is no such file, which says nothing about the document
     */
    public ParsedDocument parse(Path file, @Nullable String fileName, @Nullable String declaredType)
            throws IOException, InterruptedException {
        if (!Files.isReadable(file)) {
            throw new java.nio.file.NoSuchFileException(file.toString());
        }
        FutureTask<ParsedDocument> task = new FutureTask<>(() -> read(file, fileName, declaredType));
        Thread worker = Thread.ofPlatform()
                .daemon()
                .name("parse-" + count.incrementAndGet())
                .start(task);
        try {
            return task.get(limits.timeout().toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw new UnparsableDocumentException(
                    "Reading the document took longer than " + limits.timeout().toSeconds()
                            + " s. Split it, or save it in a simpler format.",
                    e);
        } catch (ExecutionException e) {
            throw failure(e.getCause() == null ? e : e.getCause());
        } catch (CancellationException e) {
            throw new UnparsableDocumentException("Reading the document was cancelled.", e);
        } finally {
            if (!task.isDone()) {
                task.cancel(true);
            }
            worker.interrupt();
        }
    }

    private static UnparsableDocumentException failure(Throwable cause) {
        return switch (cause) {
            case UnparsableDocumentException e -> e;
            case StackOverflowError e ->
                new UnparsableDocumentException(
                        "The document is nested too deeply. Save it in a simpler format and send it again.", e);
            case OutOfMemoryError e ->
                new UnparsableDocumentException(
                        "Reading the document takes more memory than there is. Split it into smaller documents.", e);
            default ->
                new UnparsableDocumentException(
                        "The document cannot be read (" + cause.getClass().getSimpleName()
                                + "). Save it anew in the program that made it, or as PDF, and send it again.",
                        cause);
        };
    }

    private ParsedDocument read(Path file, @Nullable String fileName, @Nullable String declaredType)
            throws IOException {
        if (Files.size(file) == 0) {
            throw new UnparsableDocumentException("The document is empty: it has 0 bytes.");
        }
        DocumentType type = detect(file, fileName, declaredType);
        ParsedDocument parsed = type.isText() ? readText(file, type, declaredType) : tika.read(file, type);
        if (parsed.text().isBlank()) {
            throw new UnparsableDocumentException(
                    type == DocumentType.PDF
                            ? "The PDF holds no text, only pictures: it was probably scanned. Run text recognition (OCR) on it and send the result."
                            : "The document holds no text.");
        }
        return parsed;
    }

    private ParsedDocument readText(Path file, DocumentType type, @Nullable String declaredType) throws IOException {
        if (Files.size(file) > (long) limits.maxCharacters() * MAX_BYTES_PER_CHARACTER) {
            throw DocumentTextBuilder.tooLong(limits.maxCharacters());
        }
        byte[] bytes = Files.readAllBytes(file);
        String declared = TypeDetector.charsetOf(declaredType);
        if (declared == null && type == DocumentType.HTML) {
            declared = charsetInside(bytes);
        }
        String raw = TextDecoder.decode(bytes, declared)
                .orElseThrow(() -> new UnparsableDocumentException(
                        "The text is in no known encoding. Save it as UTF-8 and send it again."));
        if (raw.length() > limits.maxCharacters()) {
            throw DocumentTextBuilder.tooLong(limits.maxCharacters());
        }
        return switch (type) {
            case HTML -> HtmlReader.read(raw, limits.maxCharacters());
            case MARKDOWN -> MarkdownReader.read(CleanText.of(raw));
            case CSV -> CsvReader.read(CleanText.of(raw));
            default -> PlainTextReader.read(CleanText.of(raw), DocumentType.PLAIN_TEXT.mediaType());
        };
    }

    private static @Nullable String charsetInside(byte[] html) {
        String start =
                new String(html, 0, Math.min(html.length, META_PREFIX), java.nio.charset.StandardCharsets.ISO_8859_1);
        Matcher meta = META_CHARSET.matcher(start);
        if (meta.find()) {
            return meta.group(1);
        }
        Matcher xml = XML_ENCODING.matcher(start);
        return xml.find() ? xml.group(1) : null;
    }

    /** Made on first use: reading the type definitions takes a while. */
    private TypeDetector detector() {
        TypeDetector made = detector;
        if (made == null) {
            synchronized (this) {
                made = detector;
                if (made == null) {
                    made = new TypeDetector(limits.maxUnpackedBytes());
                    detector = made;
                }
            }
        }
        return made;
    }
}
