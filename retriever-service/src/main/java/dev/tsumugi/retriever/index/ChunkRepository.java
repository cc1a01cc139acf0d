package dev.tsumugi.retriever.index;

import java.util.Collection;
import java.util.List;
import java.util.Set;
import org.springframework.data.jpa.repository.JpaRepository;
import org.springframework.data.jpa.repository.Query;

/** Chunks of the tenant of the running transaction. */
interface ChunkRepository extends JpaRepository<ChunkEntity, Long> {

    /** All of a chunk that decides whether it can stay, without its text and vector. */
    record StoredChunk(
            long id, int position, String generation, String hash, int start, int end, String heading, int termCount) {}

    record StoredVector(String hash, float[] embedding) {}

    @Query("""
            select new dev.tsumugi.retriever.index.ChunkRepository$StoredChunk(
                c.id, c.position, c.generation, c.hash, c.start, c.end, c.heading, c.termCount)
            from ChunkEntity c where c.tenant = :tenant and c.documentId = :documentId
            order by c.position
            """)
    List<StoredChunk> findStored(String tenant, String documentId);

    @Query("""
            select new dev.tsumugi.retriever.index.ChunkRepository$StoredVector(c.hash, c.embedding)
            from ChunkEntity c
            where c.tenant = :tenant and c.documentId = :documentId
                and c.generation = :generation and c.hash in :hashes
            """)
    List<StoredVector> findVectors(String tenant, String documentId, String generation, Collection<String> hashes);

    @Query("""
            select distinct c.hash from ChunkEntity c
            where c.tenant = :tenant and c.documentId = :documentId
                and c.generation = :generation and c.hash in :hashes
            """)
    Set<String> findKnownHashes(String tenant, String documentId, String generation, Collection<String> hashes);
}
