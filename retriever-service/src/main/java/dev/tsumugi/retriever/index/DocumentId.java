package dev.tsumugi.retriever.index;

import jakarta.persistence.Column;
import jakarta.persistence.Embeddable;
import java.io.Serializable;

/** Primary key of {@link DocumentEntity}. */
@Embeddable
public record DocumentId(
        String tenant, @Column(name = "document_id") String documentId) implements Serializable {}
