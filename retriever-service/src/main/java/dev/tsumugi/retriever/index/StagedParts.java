package dev.tsumugi.retriever.index;

import dev.tsumugi.contracts.event.ChunkEmbeddings;
import dev.tsumugi.contracts.event.DocumentChunks;
import dev.tsumugi.platform.kafka.EventCodec;
import java.util.List;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.stereotype.Component;

/**
 * Parts of versions that are not complete yet; in the database, so that a crash forgets none whose offset is committed. Parts of different
 * cuts of a version lie side by side, and the first cut that is complete becomes the version.
 */
@Component
class StagedParts {
    private final JdbcTemplate jdbc;
    private final EventCodec codec;

    StagedParts(JdbcTemplate jdbc, EventCodec codec) {
        this.jdbc = jdbc;
        this.codec = codec;
    }

    /** The same part twice is kept once. */
    void add(ChunkEmbeddings event) {
        DocumentChunks part = event.chunks();
        jdbc.update(
                """
                insert into retriever.staged_parts (tenant, document_id, version, generation, cut, part, event)
                values (?, ?, ?, ?, ?, ?, ?) on conflict do nothing
                """,
                part.tenant(),
                part.documentId(),
                part.version(),
                event.indexGeneration(),
                cutOf(event),
                part.part(),
                codec.encode(event));
    }

    private static String cutOf(ChunkEmbeddings event) {
        String cut = event.chunks().cut();
        return cut == null ? "" : NewChunk.storable(cut);
    }

    /** How many parts of the version of {@code event}, cut as it is, are here. */
    int count(ChunkEmbeddings event) {
        Integer count = jdbc.queryForObject(
                """
                select count(*) from retriever.staged_parts
                where tenant = ? and document_id = ? and version = ? and generation = ? and cut = ?
                """,
                Integer.class,
                event.chunks().tenant(),
                event.chunks().documentId(),
                event.chunks().version(),
                event.indexGeneration(),
                cutOf(event));
        return count == null ? 0 : count;
    }

    List<ChunkEmbeddings> load(ChunkEmbeddings event) {
        return jdbc.query(
                """
                select event from retriever.staged_parts
                where tenant = ? and document_id = ? and version = ? and generation = ? and cut = ? order by part
                """,
                (row, number) -> codec.decode(row.getBytes(1), ChunkEmbeddings.class, ChunkEmbeddings.SCHEMA_VERSION),
                event.chunks().tenant(),
                event.chunks().documentId(),
                event.chunks().version(),
                event.indexGeneration(),
                cutOf(event));
    }

    /** Removes what can no longer become visible. */
    void removeUpTo(DocumentId document, long version) {
        jdbc.update(
                "delete from retriever.staged_parts where tenant = ? and document_id = ? and version <= ?",
                document.tenant(),
                document.documentId(),
                version);
    }
}
