package dev.tsumugi.retriever.index;

import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.GeneratedValue;
import jakarta.persistence.GenerationType;
import jakarta.persistence.Id;
import jakarta.persistence.SequenceGenerator;
import jakarta.persistence.Table;
import java.util.List;
import org.hibernate.annotations.Array;
import org.hibernate.annotations.JdbcTypeCode;
import org.hibernate.type.SqlTypes;
import org.jspecify.annotations.NullUnmarked;
import org.jspecify.annotations.Nullable;

/** A chunk of the visible version of a document. */
@Entity
@Table(name = "chunks")
@NullUnmarked // filled by Hibernate
public class ChunkEntity {
    static final int DIMENSION = 384;

    @Id
    @GeneratedValue(strategy = GenerationType.SEQUENCE, generator = "chunk_ids")
    @SequenceGenerator(name = "chunk_ids", sequenceName = "chunk_ids", allocationSize = 50)
    private Long id;

    private String tenant;

    @Column(name = "document_id")
    private String documentId;

    private int position;
    private String generation;
    private String hash;

    @Column(name = "start_offset")
    private int start;

    @Column(name = "end_offset")
    private int end;

    private String heading;
    private String text;

    /** That of the document, repeated so that a vector search need not look further. Null: everyone of the tenant; empty: nobody. */
    @JdbcTypeCode(SqlTypes.ARRAY)
    @Column(columnDefinition = "text[]")
    private String @Nullable [] acl;

    @Column(name = "term_count")
    private int termCount;

    @JdbcTypeCode(SqlTypes.VECTOR)
    @Array(length = DIMENSION)
    private float[] embedding;

    protected ChunkEntity() {}

    ChunkEntity(
            DocumentId document,
            String generation,
            @Nullable List<String> acl,
            NewChunk chunk,
            int termCount,
            float[] embedding) {
        this.tenant = document.tenant();
        this.documentId = document.documentId();
        this.position = chunk.position();
        this.generation = generation;
        this.hash = chunk.hash();
        this.start = chunk.start();
        this.end = chunk.end();
        this.heading = chunk.heading();
        this.text = chunk.text();
        this.acl = acl == null ? null : acl.toArray(String[]::new);
        this.termCount = termCount;
        this.embedding = embedding;
    }

    public long id() {
        return id;
    }
}
