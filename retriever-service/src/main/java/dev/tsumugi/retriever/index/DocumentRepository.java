package dev.tsumugi.retriever.index;

import org.springframework.data.jpa.repository.JpaRepository;

/** Documents of the tenant of the running transaction. */
interface DocumentRepository extends JpaRepository<DocumentEntity, DocumentId> {}
