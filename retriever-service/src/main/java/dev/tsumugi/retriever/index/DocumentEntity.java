package dev.tsumugi.retriever.index;

import jakarta.persistence.Column;
import jakarta.persistence.EmbeddedId;
import jakarta.persistence.Entity;
import jakarta.persistence.Table;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.hibernate.annotations.JdbcTypeCode;
import org.hibernate.type.SqlTypes;
import org.jspecify.annotations.NullUnmarked;
import org.jspecify.annotations.Nullable;

/** The visible version of a document, or the tombstone of a deleted one. */
@Entity
@Table(name = "documents")
@NullUnmarked // filled by Hibernate
public class DocumentEntity {
    static final String INDEXED = "INDEXED";
    static final String DELETED = "DELETED";

    @EmbeddedId
    private DocumentId id;

    private long version;
    private String state;
    private String generation;
    private String title;

    @JdbcTypeCode(SqlTypes.JSON)
    private Map<String, String> metadata;

    /** Null: everyone of the tenant; empty: nobody. */
    @JdbcTypeCode(SqlTypes.ARRAY)
    @Column(columnDefinition = "text[]")
    private String @Nullable [] acl;

    @Column(name = "chunk_count")
    private int chunkCount;

    @Column(name = "updated_at")
    private Instant updatedAt;

    protected DocumentEntity() {}

    DocumentEntity(DocumentId id) {
        this.id = id;
    }

    void become(
            String newState,
            long newVersion,
            String newGeneration,
            String newTitle,
            Map<String, String> newMetadata,
            @Nullable List<String> newAcl,
            int newChunkCount,
            Instant at) {
        state = newState;
        version = newVersion;
        generation = newGeneration;
        title = newTitle;
        metadata = newMetadata;
        acl = newAcl == null ? null : newAcl.toArray(String[]::new);
        chunkCount = newChunkCount;
        updatedAt = at;
    }

    void restrictTo(List<String> newAcl, Instant at) {
        acl = newAcl.toArray(String[]::new);
        updatedAt = at;
    }

    public long version() {
        return version;
    }

    public boolean isDeleted() {
        return DELETED.equals(state);
    }

    public String generation() {
        return generation;
    }

    public String title() {
        return title;
    }

    public @Nullable List<String> acl() {
        return acl == null ? null : List.of(acl);
    }

    public int chunkCount() {
        return chunkCount;
    }
}
