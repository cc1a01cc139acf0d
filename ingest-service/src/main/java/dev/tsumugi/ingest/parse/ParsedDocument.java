package dev.tsumugi.ingest.parse;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The text of a document and its structure. The text is in Unicode normal form C, has {@code \n} line ends, and holds neither control
 * characters nor unpaired surrogates.
 *
 * @param title the document's own title, where it has one
 * @param contentType what the content was found to be, without parameters
 */
public record ParsedDocument(String text, @Nullable String title, String contentType, List<DocumentBlock> blocks) {
    public ParsedDocument {
        blocks = List.copyOf(blocks);
    }
}
