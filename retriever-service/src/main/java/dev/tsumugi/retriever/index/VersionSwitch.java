package dev.tsumugi.retriever.index;

import dev.tsumugi.retriever.index.ChunkRepository.StoredChunk;
import dev.tsumugi.retriever.terms.TermAnalyzer;
import dev.tsumugi.retriever.terms.Terms;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.springframework.jdbc.core.JdbcTemplate;

/**
 * Replaces the chunks of a document by those of a new version. A chunk that is in both stays where it is, with its vector and postings;
 * a small edit of a long document so touches few rows.
 */
class VersionSwitch {
    private static final int SLICE = 128;

    private final ChunkRepository chunks;
    private final Postings postings;
    private final TermAnalyzer analyzer;
    private final JdbcTemplate jdbc;

    VersionSwitch(ChunkRepository chunks, Postings postings, TermAnalyzer analyzer, JdbcTemplate jdbc) {
        this.chunks = chunks;
        this.postings = postings;
        this.analyzer = analyzer;
        this.jdbc = jdbc;
    }

    private record Content(String hash, String heading) {}

    record Kept(StoredChunk stored, NewChunk chunk) {}

    record Added(NewChunk chunk, float[] vector) {}

    /**
     * @param missing texts of chunks without any vector, by hash; the plan can be carried out when it is empty
     */
    record Plan(
            NewVersion version,
            List<Kept> kept,
            List<Added> added,
            List<StoredChunk> removed,
            Map<String, String> missing) {}

    /** @param vectors by hash, for chunks that come without one */
    Plan plan(NewVersion version, Map<String, float[]> vectors) {
        List<StoredChunk> stored = findStored(version.document());
        Map<Content, Deque<StoredChunk>> reusable = new HashMap<>();
        List<StoredChunk> removed = new ArrayList<>();
        for (StoredChunk chunk : stored) {
            if (chunk.generation().equals(version.generation())) {
                reusable.computeIfAbsent(new Content(chunk.hash(), chunk.heading()), content -> new ArrayDeque<>())
                        .add(chunk);
            } else {
                removed.add(chunk);
            }
        }
        List<Kept> kept = new ArrayList<>();
        List<NewChunk> unmatched = new ArrayList<>();
        for (NewChunk chunk : version.chunks()) {
            Deque<StoredChunk> candidates = reusable.get(new Content(chunk.hash(), chunk.heading()));
            StoredChunk match = candidates == null ? null : candidates.poll();
            if (match == null) {
                unmatched.add(chunk);
            } else {
                kept.add(new Kept(match, chunk));
            }
        }
        reusable.values().forEach(removed::addAll);
        Map<String, float[]> known = knownVectors(version, unmatched, vectors);
        List<Added> added = new ArrayList<>();
        Map<String, String> missing = new LinkedHashMap<>();
        for (NewChunk chunk : unmatched) {
            float @Nullable [] vector = chunk.vector() == null ? known.get(chunk.hash()) : chunk.vector();
            if (vector == null) {
                missing.put(chunk.hash(), chunk.embeddedText());
            } else {
                added.add(new Added(chunk, vector));
            }
        }
        return new Plan(version, kept, added, removed, missing);
    }

    /** The document's row must be there already. */
    void carryOut(Plan plan, boolean aclChanges) {
        NewVersion version = plan.version();
        remove(plan.removed());
        move(plan.kept());
        if (aclChanges) {
            changeAcl(version.document(), version.acl());
        }
        long terms = 0;
        for (int from = 0; from < plan.added().size(); from += SLICE) {
            int to = Math.min(from + SLICE, plan.added().size());
            terms += insert(version, plan.added().subList(from, to));
        }
        postings.changeStatistics(
                version.document().tenant(),
                (long) plan.added().size() - plan.removed().size(),
                terms - terms(plan.removed()));
    }

    void removeChunks(DocumentId document) {
        List<StoredChunk> stored = findStored(document);
        remove(stored);
        postings.changeStatistics(document.tenant(), -stored.size(), -terms(stored));
    }

    /** Vectors for chunks that come without: given ones, those of equal chunks of this version, and those of the old version. */
    private Map<String, float[]> knownVectors(
            NewVersion version, List<NewChunk> unmatched, Map<String, float[]> given) {
        Map<String, float[]> known = new HashMap<>(given);
        for (NewChunk chunk : version.chunks()) {
            if (chunk.vector() != null) {
                known.put(chunk.hash(), chunk.vector());
            }
        }
        Set<String> wanted = unmatched.stream()
                .filter(chunk -> chunk.vector() == null && !known.containsKey(chunk.hash()))
                .map(NewChunk::hash)
                .collect(Collectors.toSet());
        if (!wanted.isEmpty()) {
            chunks.findVectors(
                            version.document().tenant(), version.document().documentId(), version.generation(), wanted)
                    .forEach(stored -> known.put(stored.hash(), stored.embedding()));
        }
        return known;
    }

    private List<StoredChunk> findStored(DocumentId document) {
        return chunks.findStored(document.tenant(), document.documentId());
    }

    private void remove(List<StoredChunk> removed) {
        if (!removed.isEmpty()) {
            Long[] ids = removed.stream().map(StoredChunk::id).toArray(Long[]::new);
            jdbc.update("delete from retriever.chunks where id = any (?)", (Object) ids);
        }
    }

    private void move(List<Kept> kept) {
        List<Object[]> moved = kept.stream()
                .filter(pair -> pair.stored().position() != pair.chunk().position()
                        || pair.stored().start() != pair.chunk().start()
                        || pair.stored().end() != pair.chunk().end())
                .map(pair -> new Object[] {
                    pair.chunk().position(),
                    pair.chunk().start(),
                    pair.chunk().end(),
                    pair.stored().id()
                })
                .toList();
        if (!moved.isEmpty()) {
            jdbc.batchUpdate(
                    "update retriever.chunks set position = ?, start_offset = ?, end_offset = ? where id = ?", moved);
        }
    }

    void changeAcl(DocumentId document, @Nullable List<String> acl) {
        jdbc.update(
                "update retriever.chunks set acl = cast(? as text[]) where tenant = ? and document_id = ?",
                acl == null ? null : acl.toArray(String[]::new),
                document.tenant(),
                document.documentId());
        postings.changeAcl(document, acl);
    }

    /** Returns the number of terms. */
    private long insert(NewVersion version, List<Added> slice) {
        List<Terms> terms = slice.stream()
                .map(added -> analyzer.analyze(added.chunk().embeddedText()))
                .toList();
        List<ChunkEntity> entities = new ArrayList<>(slice.size());
        for (int i = 0; i < slice.size(); i++) {
            entities.add(new ChunkEntity(
                    version.document(),
                    version.generation(),
                    version.acl(),
                    slice.get(i).chunk(),
                    terms.get(i).length(),
                    slice.get(i).vector()));
        }
        chunks.saveAllAndFlush(entities);
        List<Postings.ChunkTerms> chunkTerms = new ArrayList<>(slice.size());
        for (int i = 0; i < slice.size(); i++) {
            chunkTerms.add(new Postings.ChunkTerms(entities.get(i).id(), terms.get(i)));
        }
        postings.add(version.document().tenant(), version.acl(), chunkTerms);
        return terms.stream().mapToLong(Terms::length).sum();
    }

    private static long terms(List<StoredChunk> stored) {
        return stored.stream().mapToLong(StoredChunk::termCount).sum();
    }
}
