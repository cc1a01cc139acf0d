package dev.tsumugi.contracts.event;

import dev.tsumugi.contracts.DocumentKey;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Value of {@code document-chunks}: one part of the chunks of one document version, or its deletion, or the news that a version comes
 * which fewer may read. A version is complete when all {@code parts} of one {@code cut} have arrived, in any order. A document without
 * text has one part without chunks.
 *
 * @param version counts the contents of this document from 1; a deletion has a version of its own
 * @param contentHash SHA-256 (hex) of content, title, metadata and ACL
 * @param acl principals that may read the version; empty: everyone of the tenant
 * @param deleted when true the document is gone as of {@code version}; no chunks then
 * @param part 0-based
 * @param parts 0: there are no chunks here; whatever is visible of older versions may be read only by those whom {@code acl} names too
 * @param cut names the way the version was cut: parts of different cuts, as a restart under other settings leaves them, never make one
 *     version; absent where nothing was cut
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
        List<Chunk> chunks,
        @Nullable String cut) {
    public static final int SCHEMA_VERSION = 1;

    /** As of {@code version} the document is gone. */
    public static DocumentChunks deletion(DocumentKey key, long version) {
        return withoutChunks(key, version, List.of(), true, 1);
    }

    /** A version that only {@code acl} may read is on its way, or failed: no older one may be read by others any more. */
    public static DocumentChunks restriction(DocumentKey key, long version, List<String> acl) {
        return withoutChunks(key, version, acl, false, 0);
    }

    private static DocumentChunks withoutChunks(
            DocumentKey key, long version, List<String> acl, boolean deleted, int parts) {
        return new DocumentChunks(
                SCHEMA_VERSION,
                key.tenant(),
                key.documentId(),
                version,
                "",
                "",
                Map.of(),
                acl,
                deleted,
                0,
                parts,
                List.of(),
                null);
    }

    /** This is a {@link #restriction}. */
    public boolean restricts() {
        return !deleted && parts == 0;
    }

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
