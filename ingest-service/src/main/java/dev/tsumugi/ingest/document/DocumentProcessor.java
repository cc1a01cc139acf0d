package dev.tsumugi.ingest.document;

import dev.tsumugi.contracts.DocumentKey;
import dev.tsumugi.contracts.DocumentState;
import dev.tsumugi.contracts.event.DocumentChunks.Chunk;
import dev.tsumugi.ingest.blob.BlobStore;
import dev.tsumugi.ingest.chunk.Chunker;
import dev.tsumugi.ingest.chunk.TextChunk;
import dev.tsumugi.ingest.parse.DocumentParser;
import dev.tsumugi.ingest.parse.ParsedDocument;
import dev.tsumugi.ingest.parse.UnparsableDocumentException;
import dev.tsumugi.ingest.registry.DocumentContent;
import dev.tsumugi.ingest.registry.DocumentRegistry;
import dev.tsumugi.platform.kafka.InvalidEventException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Takes one version of a document from its stored content to its published chunks. May be repeated from the start at any time: the same
 * content gives the same chunks under the same version.
 */
final class DocumentProcessor {
    private static final int MAX_TITLE = 1000;

    private final DocumentRegistry registry;
    private final BlobStore blobs;
    private final DocumentParser parser;
    private final Chunker chunker;
    private final DocumentPublisher publisher;

    DocumentProcessor(
            DocumentRegistry registry,
            BlobStore blobs,
            DocumentParser parser,
            Chunker chunker,
            DocumentPublisher publisher) {
        this.registry = registry;
        this.blobs = blobs;
        this.parser = parser;
        this.chunker = chunker;
        this.publisher = publisher;
    }

    /** @throws InvalidEventException when the content cannot be parsed; the message is meant for the document's owner */
    void process(DocumentKey key, long version, DocumentContent content) throws IOException, InterruptedException {
        // Before the work, which may take long or fail: whom this version does not name must not go on reading an older
        // one.
        publisher.restriction(key, version, content.acl());
        publisher.status(key, version, DocumentState.RECEIVED, 0, null);
        Path file = blobs.find(content.blob())
                .orElseThrow(() -> new InvalidEventException(
                        "there is no blob " + content.blob() + " in the store. Upload the document again."));
        ParsedDocument parsed;
        try {
            parsed = parser.parse(file, content.fileName(), content.declaredType());
        } catch (UnparsableDocumentException e) {
            throw new InvalidEventException(e.getMessage() == null ? "unparsable" : e.getMessage(), e);
        }
        String title = title(key, content, parsed);
        List<Chunk> chunks = number(chunker.chunk(parsed));
        registry.parsed(key, version, title, parsed.contentType(), chunks.size());
        // Before the chunks, so that the states of this version stand in the topic in their order.
        publisher.status(key, version, DocumentState.PARSED, chunks.size(), null);
        publisher.chunks(key, version, title, content, chunks);
        registry.published(key, version);
    }

    void delete(DocumentKey key, long version) {
        publisher.deletion(key, version);
        registry.published(key, version);
    }

    private static String title(DocumentKey key, DocumentContent content, ParsedDocument parsed) {
        String title = content.title();
        if (title == null) {
            title = parsed.title();
        }
        if (title == null || title.isBlank()) {
            title = content.fileName();
        }
        if (title == null) {
            title = key.documentId();
        }
        return title.length() <= MAX_TITLE
                ? title
                : title.substring(
                        0,
                        title.offsetByCodePoints(0, Math.min(MAX_TITLE / 2, title.codePointCount(0, title.length()))));
    }

    private static List<Chunk> number(List<TextChunk> texts) {
        List<Chunk> chunks = new ArrayList<>(texts.size());
        for (TextChunk text : texts) {
            Chunk unhashed = new Chunk(chunks.size(), text.start(), text.end(), "", text.heading(), text.text());
            chunks.add(new Chunk(
                    unhashed.index(),
                    unhashed.start(),
                    unhashed.end(),
                    Sha256.hex(unhashed.embeddedText()),
                    unhashed.heading(),
                    unhashed.text()));
        }
        return chunks;
    }
}
