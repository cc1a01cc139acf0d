package dev.tsumugi.retriever.index;

import dev.tsumugi.contracts.event.ChunkEmbeddings;
import dev.tsumugi.contracts.event.DocumentChunks;
import dev.tsumugi.retriever.tenancy.TenantTransactions;
import dev.tsumugi.retriever.terms.TermAnalyzer;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.stereotype.Component;

/**
 * Applies {@code chunk-embeddings} to the index. Each call is one transaction that changes nothing when the event was applied before;
 * when it holds the last missing part, the new version takes the place of the old one in that same transaction.
 */
@Component
public class DocumentIndexer {
    private final TenantTransactions transactions;
    private final DocumentRepository documents;
    private final ChunkRepository chunks;
    private final StagedParts staged;
    private final Restrictions restrictions;
    private final VersionSwitch versionSwitch;
    private final JdbcTemplate jdbc;
    private final Clock clock;

    DocumentIndexer(
            TenantTransactions transactions,
            DocumentRepository documents,
            ChunkRepository chunks,
            StagedParts staged,
            Restrictions restrictions,
            Postings postings,
            TermAnalyzer analyzer,
            JdbcTemplate jdbc,
            Clock clock) {
        this.transactions = transactions;
        this.documents = documents;
        this.chunks = chunks;
        this.staged = staged;
        this.restrictions = restrictions;
        this.versionSwitch = new VersionSwitch(chunks, postings, analyzer, jdbc);
        this.jdbc = jdbc;
        this.clock = clock;
    }

    /**
     * @param vectors by chunk hash: answers an earlier {@link Outcome.NeedsVectors}; else empty
     */
    public Outcome apply(ChunkEmbeddings event, Map<String, float[]> vectors) {
        DocumentChunks part = event.chunks();
        DocumentId id = new DocumentId(part.tenant(), part.documentId());
        return transactions.write(id.tenant(), () -> {
            lock(id);
            DocumentEntity current = documents.findById(id).orElse(null);
            if (part.restricts()) {
                return restrict(id, part, current);
            }
            if (current != null && !isNews(event, current)) {
                return known(event, current);
            }
            return part.deleted() ? delete(id, event, current) : add(id, event, current, vectors);
        });
    }

    /** Which of these chunks of a document are indexed under {@code generation}, so that they need no new vector. */
    public Set<String> knownHashes(String tenant, String documentId, String generation, List<String> hashes) {
        return hashes.isEmpty()
                ? Set.of()
                : transactions.write(tenant, () -> chunks.findKnownHashes(tenant, documentId, generation, hashes));
    }

    /** A version that is visible already is news again under another embedding model. */
    private static boolean isNews(ChunkEmbeddings event, DocumentEntity current) {
        long version = event.chunks().version();
        return version > current.version()
                || version == current.version()
                        && !current.isDeleted()
                        && !event.chunks().deleted()
                        && !event.indexGeneration().equals(current.generation());
    }

    /** The outcome is told again: the crash that brought the event back may have come before it was told. */
    private static Outcome known(ChunkEmbeddings event, DocumentEntity current) {
        if (event.chunks().version() < current.version()) {
            return new Outcome.Superseded();
        }
        return current.isDeleted() ? new Outcome.Deleted() : new Outcome.Indexed(current.chunkCount());
    }

    private Outcome restrict(DocumentId id, DocumentChunks part, @Nullable DocumentEntity current) {
        if (current != null && part.version() <= current.version()) {
            return new Outcome.Superseded();
        }
        List<String> named = part.acl().stream().map(NewChunk::storable).toList();
        restrictions.add(id, part.version(), named);
        if (current != null && !current.isDeleted()) {
            List<String> remaining = Restrictions.both(current.acl(), named);
            if (!remaining.equals(current.acl())) {
                current.restrictTo(remaining, clock.instant());
                documents.saveAndFlush(current);
                versionSwitch.changeAcl(id, remaining);
            }
        }
        return new Outcome.Restricted();
    }

    private Outcome delete(DocumentId id, ChunkEmbeddings event, @Nullable DocumentEntity current) {
        DocumentEntity document = current == null ? new DocumentEntity(id) : current;
        document.become(
                DocumentEntity.DELETED,
                event.chunks().version(),
                event.indexGeneration(),
                "",
                Map.of(),
                null,
                0,
                clock.instant());
        documents.saveAndFlush(document);
        staged.removeUpTo(id, event.chunks().version());
        restrictions.removeUpTo(id, event.chunks().version());
        versionSwitch.removeChunks(id);
        return new Outcome.Deleted();
    }

    private Outcome add(
            DocumentId id, ChunkEmbeddings event, @Nullable DocumentEntity current, Map<String, float[]> vectors) {
        List<ChunkEmbeddings> parts = List.of(event);
        if (event.chunks().parts() > 1) {
            staged.add(event);
            if (staged.count(event) < event.chunks().parts()) {
                return new Outcome.Staged();
            }
            parts = staged.load(event);
        }
        NewVersion whole = NewVersion.of(parts);
        NewVersion version = whole.readableBy(restrictions.narrow(id, whole.version(), whole.acl()));
        VersionSwitch.Plan plan = versionSwitch.plan(version, vectors);
        if (!plan.missing().isEmpty()) {
            return new Outcome.NeedsVectors(plan.missing());
        }
        boolean aclChanges = current != null && !Objects.equals(current.acl(), version.acl());
        DocumentEntity document = current == null ? new DocumentEntity(id) : current;
        document.become(
                DocumentEntity.INDEXED,
                version.version(),
                version.generation(),
                version.title(),
                version.metadata(),
                version.acl(),
                version.chunks().size(),
                clock.instant());
        documents.saveAndFlush(document);
        staged.removeUpTo(id, version.version());
        restrictions.removeUpTo(id, version.version());
        versionSwitch.carryOut(plan, aclChanges);
        return new Outcome.Indexed(version.chunks().size());
    }

    /** During a rebalance two replicas may hold the same record; they take turns. */
    private void lock(DocumentId id) {
        jdbc.query(
                "select pg_advisory_xact_lock(hashtextextended(?, 0))", row -> {}, id.tenant() + "/" + id.documentId());
    }
}
