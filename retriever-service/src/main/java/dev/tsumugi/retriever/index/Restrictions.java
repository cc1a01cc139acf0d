package dev.tsumugi.retriever.index;

import java.sql.Array;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.stereotype.Component;

/**
 * What versions that are not visible yet, and perhaps never will be, say about who may read the ones before them. It only narrows: an old
 * version is not shown to those whom a newer one adds. In lists of principals null means everyone of the tenant, an empty list nobody.
 */
@Component
class Restrictions {
    private final JdbcTemplate jdbc;

    Restrictions(JdbcTemplate jdbc) {
        this.jdbc = jdbc;
    }

    /** Holds for all versions below {@code version}, and on top of what held before. */
    void add(DocumentId document, long version, List<String> acl) {
        jdbc.update("""
                insert into retriever.restrictions as r (tenant, document_id, version, acl) values (?, ?, ?, cast(? as text[]))
                on conflict (tenant, document_id) do update set
                    version = greatest(r.version, excluded.version),
                    acl = array(select unnest(r.acl) intersect select unnest(excluded.acl))
                """, document.tenant(), document.documentId(), version, acl.toArray(String[]::new));
    }

    /** Who of {@code acl} may read {@code version}. */
    @Nullable
    List<String> narrow(DocumentId document, long version, @Nullable List<String> acl) {
        List<List<String>> newer = jdbc.query(
                "select acl from retriever.restrictions where tenant = ? and document_id = ? and version > ?",
                (row, number) -> {
                    Array principals = row.getArray(1);
                    return List.of((String[]) principals.getArray());
                },
                document.tenant(),
                document.documentId(),
                version);
        return newer.isEmpty() ? acl : both(acl, newer.getFirst());
    }

    void removeUpTo(DocumentId document, long version) {
        jdbc.update(
                "delete from retriever.restrictions where tenant = ? and document_id = ? and version <= ?",
                document.tenant(),
                document.documentId(),
                version);
    }

    static List<String> both(@Nullable List<String> acl, List<String> other) {
        return acl == null
                ? other.stream().distinct().sorted().toList()
                : acl.stream().filter(other::contains).toList();
    }
}
