package dev.tsumugi.retriever.index;

import dev.tsumugi.contracts.event.DocumentChunks;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * A chunk of a version that is to become visible.
 *
 * @param vector null when the chunk was indexed before under the same hash
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record NewChunk(int position, int start, int end, String hash, String heading, String text, float @Nullable [] vector) {

    static NewChunk of(DocumentChunks.Chunk chunk, float @Nullable [] vector) {
        return new NewChunk(
                chunk.index(),
                chunk.start(),
                chunk.end(),
                chunk.hash(),
                storable(chunk.heading()),
                storable(chunk.text()),
                vector);
    }

    /** What was embedded, and what terms are taken from. */
    String embeddedText() {
        return heading.isEmpty() ? text : heading + "\n" + text;
    }

    /** PostgreSQL stores neither NUL nor lone surrogates. The replacements have the same length, so that offsets stay right. */
    static String storable(String text) {
        return new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8).replace('\0', '\uFFFD');
    }
}
