package dev.tsumugi.contracts.event;

import java.util.List;
import java.util.Map;

/**
 * Value of {@code document-chunks}: one part of the chunks of one document version, or its deletion. A version is complete when all
 * {@code parts} have arrived, in any order. A document without text has one part without chunks.
 *
 * @param version counts the contents of this document from 1; a deletion has a version of its own
 * @param contentHash SHA-256 (hex) of content, title, metadata and ACL
 * @param deleted when true the document is gone as of {@code version}; no chunks then
 * @param part 0-based
 */
public record DocumentChunks(
        int schemaVersion,
        String tenant,
        String documentId,
        long version,
        String contentHash,
        String title,
        Map<String, String> metadata,
        List<String> acl,
        boolean deleted,
        int part,
        int parts,
        List<Chunk> chunks) {
    public static final int SCHEMA_VERSION = 1;

    /**
     * @param index position in the document, from 0 over all parts
     * @param start offset of the first character in the parsed text, in UTF-16 units
     * @param end offset behind the last character
     * @param hash SHA-256 (hex) of {@code embeddedText}
     * @param heading the headings above the chunk, joined by " > ", or empty
     * @param text exactly {@code parsedText.substring(start, end)}
     */
    public record Chunk(int index, int start, int end, String hash, String heading, String text) {

        /** What is embedded: the heading gives a lone paragraph its context. */
        public String embeddedText() {
            return heading.isEmpty() ? text : heading + "\n" + text;
        }
    }
}
