package dev.tsumugi.retriever.index;

import dev.tsumugi.retriever.terms.Terms;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.stereotype.Component;

/** The inverted index and its statistics. Postings of a removed chunk go with it (foreign key). */
@Component
class Postings {
    private final JdbcTemplate jdbc;

    record ChunkTerms(long chunkId, Terms terms) {}

    Postings(JdbcTemplate jdbc) {
        this.jdbc = jdbc;
    }

    void add(String tenant, @Nullable List<String> acl, List<ChunkTerms> chunks) {
        List<String> terms = new ArrayList<>();
        List<Long> chunkIds = new ArrayList<>();
        List<Integer> frequencies = new ArrayList<>();
        List<Integer> lengths = new ArrayList<>();
        for (ChunkTerms chunk : chunks) {
            chunk.terms().frequencies().forEach((term, frequency) -> {
                terms.add(term);
                chunkIds.add(chunk.chunkId());
                frequencies.add(frequency);
                lengths.add(chunk.terms().length());
            });
        }
        if (terms.isEmpty()) {
            return;
        }
        jdbc.update(
                """
                insert into retriever.postings (tenant, term, chunk_id, frequency, chunk_length, acl)
                select ?, p.term, p.chunk_id, p.frequency, p.chunk_length, cast(? as text[])
                from unnest(cast(? as text[]), cast(? as bigint[]), cast(? as integer[]), cast(? as integer[]))
                    as p (term, chunk_id, frequency, chunk_length)
                """,
                tenant,
                acl == null ? null : acl.toArray(String[]::new),
                terms.toArray(String[]::new),
                chunkIds.toArray(Long[]::new),
                frequencies.toArray(Integer[]::new),
                lengths.toArray(Integer[]::new));
    }

    void changeAcl(DocumentId document, @Nullable List<String> acl) {
        jdbc.update("""
                update retriever.postings set acl = cast(? as text[])
                where chunk_id in (select id from retriever.chunks where tenant = ? and document_id = ?)
                """, acl == null ? null : acl.toArray(String[]::new), document.tenant(), document.documentId());
    }

    /** Last in its transaction: all documents of the tenant queue for this row. */
    void changeStatistics(String tenant, long chunks, long terms) {
        if (chunks == 0 && terms == 0) {
            return;
        }
        jdbc.update("""
                insert into retriever.tenant_statistics as s (tenant, chunks, terms) values (?, ?, ?)
                on conflict (tenant) do update set chunks = s.chunks + excluded.chunks, terms = s.terms + excluded.terms
                """, tenant, chunks, terms);
    }
}
