package dev.tsumugi.ingest.chunk;

import dev.tsumugi.ingest.parse.ParsedDocument;
import java.util.List;

/** Cuts a parsed document into passages, in the order of the text; the same document always gives the same passages. */
public interface Chunker {
    List<TextChunk> chunk(ParsedDocument document);
}
