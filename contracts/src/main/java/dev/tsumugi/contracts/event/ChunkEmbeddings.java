package dev.tsumugi.contracts.event;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Value of {@code chunk-embeddings}: a part of {@code document-chunks} with its vectors.
 *
 * @param chunks the part as it came, deletions too
 * @param indexGeneration names the embedding model that made the vectors; only vectors of one generation are compared
 * @param vectors one a chunk, little-endian float32; an element is null when the index already holds a vector of the same chunk hash
 */
public record ChunkEmbeddings(
        int schemaVersion, DocumentChunks chunks, String indexGeneration, List<byte @Nullable []> vectors) {
    public static final int SCHEMA_VERSION = 1;
}
