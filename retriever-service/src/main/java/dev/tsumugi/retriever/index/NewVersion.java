package dev.tsumugi.retriever.index;

import dev.tsumugi.contracts.event.ChunkEmbeddings;
import dev.tsumugi.contracts.event.DocumentChunks;
import dev.tsumugi.platform.kafka.InvalidEventException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * All parts of one version of a document, put together.
 *
 * @param acl null: everyone of the tenant; empty: nobody
 * @param chunks by position
 */
record NewVersion(
        DocumentId document,
        long version,
        String generation,
        String title,
        Map<String, String> metadata,
        @Nullable List<String> acl,
        List<NewChunk> chunks) {
    private static final int VECTOR_BYTES = ChunkEntity.DIMENSION * Float.BYTES;

    /** @param parts all parts, in any order */
    static NewVersion of(List<ChunkEmbeddings> parts) {
        List<NewChunk> chunks = new ArrayList<>();
        for (ChunkEmbeddings part : parts) {
            List<DocumentChunks.Chunk> of = part.chunks().chunks();
            for (int i = 0; i < of.size(); i++) {
                chunks.add(NewChunk.of(of.get(i), vector(part.vectors().get(i))));
            }
        }
        chunks.sort(Comparator.comparingInt(NewChunk::position));
        for (int i = 1; i < chunks.size(); i++) {
            if (chunks.get(i).position() == chunks.get(i - 1).position()) {
                throw new InvalidEventException("two chunks of one version have the index "
                        + chunks.get(i).position());
            }
        }
        DocumentChunks first = parts.getFirst().chunks();
        Map<String, String> metadata = new TreeMap<>();
        first.metadata().forEach((key, value) -> metadata.put(NewChunk.storable(key), NewChunk.storable(value)));
        List<String> acl =
                first.acl().stream().map(NewChunk::storable).distinct().sorted().toList();
        return new NewVersion(
                new DocumentId(first.tenant(), first.documentId()),
                first.version(),
                parts.getFirst().indexGeneration(),
                NewChunk.storable(first.title()),
                metadata,
                acl.isEmpty() ? null : acl,
                chunks);
    }

    NewVersion readableBy(@Nullable List<String> readers) {
        return new NewVersion(document, version, generation, title, metadata, readers, chunks);
    }

    /** @throws InvalidEventException when it is no vector of this index */
    static float @Nullable [] vector(byte @Nullable [] bytes) {
        if (bytes == null) {
            return null;
        }
        if (bytes.length != VECTOR_BYTES) {
            throw new InvalidEventException("a vector has " + bytes.length + " bytes; this index holds vectors of "
                    + ChunkEntity.DIMENSION + " float32, " + VECTOR_BYTES + " bytes");
        }
        float[] vector = new float[ChunkEntity.DIMENSION];
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(vector);
        double squares = 0;
        for (float value : vector) {
            squares += (double) value * value;
        }
        if (!(squares > 0) || Double.isInfinite(squares)) {
            throw new InvalidEventException("a vector is zero or not finite; cosine similarity needs a direction");
        }
        return vector;
    }
}
