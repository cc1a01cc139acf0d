package dev.tsumugi.ingest.registry;

import dev.tsumugi.contracts.DocumentKey;
import dev.tsumugi.contracts.DocumentState;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Timestamp;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.springframework.dao.OptimisticLockingFailureException;
import org.springframework.jdbc.core.simple.JdbcClient;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.json.JsonMapper;

/**
 * The table of documents. Versions of a document are counted here, by the one worker that has its key. Every write names the version that
 * it is about and does nothing when another has come since.
 */
public class DocumentRegistry {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final TypeReference<Map<String, String>> METADATA = new TypeReference<>() {};
    private static final int MAX_ERROR = 2000;
    private static final String READABLE = "(:readsAll or cardinality(acl) = 0 or acl && :principals::text[])";

    /**
     * Of the row {@code d}: nobody's, or readable as it is and as the upload that waits will make it. Who may not read a document may not
     * replace it either.
     */
    private static final String OWN = """
            ((d.deleted or d.version = 0) and d.upload is null
                or (:readsAll or cardinality(d.acl) = 0 or d.acl && :principals::text[])
                    and (d.upload is null or :readsAll or cardinality(d.upload_acl) = 0
                        or d.upload_acl && :principals::text[]))
            """;

    private final JdbcClient jdbc;
    private final Clock clock;

    public DocumentRegistry(JdbcClient jdbc, Clock clock) {
        this.jdbc = jdbc;
        this.clock = clock;
    }

    /** Whose documents a query may see. */
    public record Reader(String tenant, List<String> principals, boolean readsAll) {}

    public Optional<RegisteredDocument> find(DocumentKey key) {
        return jdbc.sql("select * from ingest.documents where tenant = :tenant and id = :id")
                .param("tenant", key.tenant())
                .param("id", key.documentId())
                .query(this::read)
                .optional();
    }

    /** Empty for an ACL that keeps the reader out, too. */
    public Optional<RegisteredDocument> find(String id, Reader reader) {
        return jdbc.sql("select * from ingest.documents where tenant = :tenant and id = :id and " + READABLE)
                .param("tenant", reader.tenant())
                .param("id", id)
                .param("readsAll", reader.readsAll())
                .param("principals", reader.principals().toArray(String[]::new))
                .query(this::read)
                .optional();
    }

    /**
     * Documents that are not deleted, in the order of their ids.
     *
     * @param after the id to begin behind; empty for the first page
     */
    public List<RegisteredDocument> page(Reader reader, String after, int limit) {
        return jdbc.sql("select * from ingest.documents where tenant = :tenant and id > :after"
                        + " and (not deleted or upload is not null) and " + READABLE + " order by id limit :limit")
                .param("tenant", reader.tenant())
                .param("after", after)
                .param("limit", limit)
                .param("readsAll", reader.readsAll())
                .param("principals", reader.principals().toArray(String[]::new))
                .query(this::read)
                .list();
    }

    public long count(Reader reader) {
        return jdbc.sql("select count(*) from ingest.documents where tenant = :tenant"
                        + " and (not deleted or upload is not null) and " + READABLE)
                .param("tenant", reader.tenant())
                .param("readsAll", reader.readsAll())
                .param("principals", reader.principals().toArray(String[]::new))
                .query(Long.class)
                .single();
    }

    /** The document is there and is not the reader's to replace. */
    public boolean isForeign(DocumentKey key, Reader reader) {
        return jdbc.sql(
                        "select exists(select 1 from ingest.documents d where d.tenant = :tenant and d.id = :id and not "
                                + OWN + ")")
                .param("tenant", key.tenant())
                .param("id", key.documentId())
                .param("readsAll", reader.readsAll())
                .param("principals", reader.principals().toArray(String[]::new))
                .query(Boolean.class)
                .single();
    }

    /**
     * Writes down that an upload waits; it replaces one that waits already.
     *
     * @return false, and nothing is written, when the document {@link #isForeign} to {@code reader} at this moment
     */
    public boolean expect(DocumentKey key, RegisteredDocument.Upload upload, DocumentContent content, Reader reader) {
        return jdbc.sql("""
                        insert into ingest.documents as d (tenant, id, version, state, given_title, title, file_name, acl,
                            upload_acl, upload, upload_hash, upload_blob, upload_event, upload_at, updated_at)
                        values (:tenant, :id, 0, 'RECEIVED', :title, :title, :fileName, :acl,
                            :acl, :upload, :hash, :blob, :event, :now, :now)
                        on conflict (tenant, id) do update set
                            acl = case when d.deleted or d.version = 0 then excluded.acl else d.acl end,
                            title = case when d.deleted or d.version = 0 then excluded.title else d.title end,
                            upload_acl = excluded.upload_acl,
                            upload = excluded.upload, upload_hash = excluded.upload_hash,
                            upload_blob = excluded.upload_blob, upload_event = excluded.upload_event,
                            upload_at = excluded.upload_at, updated_at = excluded.updated_at
                        where """ + OWN)
                        .param("tenant", key.tenant())
                        .param("id", key.documentId())
                        .param("title", content.title())
                        .param("fileName", content.fileName())
                        .param("acl", content.acl().toArray(String[]::new))
                        .param("upload", upload.id())
                        .param("hash", upload.hash())
                        .param("blob", content.blob())
                        .param("event", upload.event())
                        .param("now", now())
                        .param("readsAll", reader.readsAll())
                        .param("principals", reader.principals().toArray(String[]::new))
                        .update()
                > 0;
    }

    /** The upload is no longer waiting. */
    public void settle(DocumentKey key, UUID upload) {
        jdbc.sql("""
                        update ingest.documents set upload = null, upload_hash = null, upload_blob = null,
                            upload_event = null, upload_at = null
                        where tenant = :tenant and id = :id and upload = :upload
                        """)
                .param("tenant", key.tenant())
                .param("id", key.documentId())
                .param("upload", upload)
                .update();
    }

    /**
     * No upload is waiting any more, for a deletion comes behind it; a row that was only made for it goes.
     *
     * @return false, and nothing is written, when the document is not there or {@link #isForeign} to {@code reader} at this moment
     */
    public boolean cancelUpload(DocumentKey key, Reader reader) {
        boolean own = jdbc.sql("""
                        update ingest.documents d set upload = null, upload_hash = null, upload_blob = null,
                            upload_event = null, upload_at = null
                        where d.tenant = :tenant and d.id = :id and """ + OWN)
                        .param("tenant", key.tenant())
                        .param("id", key.documentId())
                        .param("readsAll", reader.readsAll())
                        .param("principals", reader.principals().toArray(String[]::new))
                        .update()
                > 0;
        if (!own) {
            return false;
        }
        jdbc.sql("delete from ingest.documents where tenant = :tenant and id = :id and version = 0 and upload is null")
                .param("tenant", key.tenant())
                .param("id", key.documentId())
                .update();
        return true;
    }

    /**
     * Makes the next version, in state RECEIVED; settles {@code upload} in the same step.
     *
     * @param after the version that is to be followed; 0 when there is none
     * @throws OptimisticLockingFailureException when another version was made since: during a rebalance two workers may hold one key
     */
    public long begin(DocumentKey key, long after, DocumentContent content, Source source, @Nullable UUID upload) {
        Optional<Long> version = jdbc.sql("""
                        insert into ingest.documents as d (tenant, id, version, state, content_hash, blob, declared_type, file_name,
                            given_title, title, metadata, acl, source_partition, source_offset, source_time, updated_at)
                        values (:tenant, :id, 1, 'RECEIVED', :hash, :blob, :declaredType, :fileName, :title, :title, :metadata::jsonb,
                            :acl, :partition, :offset, :time, :now)
                        on conflict (tenant, id) do update set version = d.version + 1, state = 'RECEIVED', deleted = false,
                            content_hash = excluded.content_hash, blob = excluded.blob, declared_type = excluded.declared_type,
                            file_name = excluded.file_name, given_title = excluded.given_title, metadata = excluded.metadata,
                            title = excluded.title, content_type = null,
                            acl = excluded.acl, chunks = 0, error = null, published = false,
                            source_partition = excluded.source_partition, source_offset = excluded.source_offset,
                            source_time = excluded.source_time, updated_at = excluded.updated_at,
                            upload = nullif(d.upload, :upload),
                            upload_hash = case when d.upload = :upload then null else d.upload_hash end,
                            upload_blob = case when d.upload = :upload then null else d.upload_blob end,
                            upload_event = case when d.upload = :upload then null else d.upload_event end,
                            upload_at = case when d.upload = :upload then null else d.upload_at end
                        where d.version = :after
                        returning version
                        """)
                .param("tenant", key.tenant())
                .param("id", key.documentId())
                .param("after", after)
                .param("hash", content.hash())
                .param("blob", content.blob())
                .param("declaredType", content.declaredType())
                .param("fileName", content.fileName())
                .param("title", content.title())
                .param("metadata", JSON.writeValueAsString(content.metadata()))
                .param("acl", content.acl().toArray(String[]::new))
                .param("partition", source.partition())
                .param("offset", source.offset())
                .param("time", source.time())
                .param("upload", upload, java.sql.Types.OTHER)
                .param("now", now())
                .query(Long.class)
                .optional();
        return version.orElseThrow(() -> overtaken(key));
    }

    private static OptimisticLockingFailureException overtaken(DocumentKey key) {
        return new OptimisticLockingFailureException("another version of " + key + " was made at the same time");
    }

    /**
     * Makes the version that is the document's deletion; empty when there is nothing to delete, or when another version than {@code after}
     * is the latest by now.
     */
    public Optional<Long> delete(DocumentKey key, long after, Source source) {
        return jdbc.sql("""
                        update ingest.documents set version = version + 1, state = 'RECEIVED', deleted = true, content_hash = '',
                            blob = null, declared_type = null, file_name = null, given_title = null, title = null,
                            content_type = null, metadata = '{}', chunks = 0, error = null, published = false,
                            source_partition = :partition, source_offset = :offset, source_time = :time, updated_at = :now
                        where tenant = :tenant and id = :id and not deleted and version > 0
                            and version = :after
                        returning version
                        """)
                .param("tenant", key.tenant())
                .param("id", key.documentId())
                .param("after", after)
                .param("partition", source.partition())
                .param("offset", source.offset())
                .param("time", source.time())
                .param("now", now())
                .query(Long.class)
                .optional();
    }

    /**
     * Makes a failed version for a record that could not be taken in. The content of the version before stays, for it is what the index
     * still holds, unless the record has other readers: then it is not to be processed again, nor its title shown to them.
     *
     * @param acl whom the record names; empty when it names nobody: who may see the document stays as it is
     * @throws OptimisticLockingFailureException as {@link #begin}
     */
    public long fail(
            DocumentKey key, long after, Source source, @Nullable UUID upload, List<String> acl, String error) {
        Optional<Long> version = jdbc.sql("""
                        insert into ingest.documents as d (tenant, id, version, state, error, acl, source_partition,
                            source_offset, source_time, updated_at)
                        values (:tenant, :id, 1, 'FAILED', :error, :acl, :partition, :offset, :time, :now)
                        on conflict (tenant, id) do update set version = d.version + 1, state = 'FAILED', error = excluded.error,
                            acl = case when cardinality(excluded.acl) > 0 then excluded.acl else d.acl end,
                            blob = case when cardinality(excluded.acl) > 0 and d.acl <> excluded.acl then null else d.blob end,
                            title = case when cardinality(excluded.acl) > 0 and d.acl <> excluded.acl then null else d.title end,
                            deleted = false, chunks = 0, published = false, source_partition = excluded.source_partition,
                            source_offset = excluded.source_offset, source_time = excluded.source_time,
                            updated_at = excluded.updated_at
                        where d.version = :after
                        returning version
                        """)
                .param("tenant", key.tenant())
                .param("id", key.documentId())
                .param("after", after)
                .param("error", presentable(error))
                .param("acl", acl.toArray(String[]::new))
                .param("partition", source.partition())
                .param("offset", source.offset())
                .param("time", source.time())
                .param("now", now())
                .query(Long.class)
                .optional();
        if (version.isEmpty()) {
            throw overtaken(key);
        }
        if (upload != null) {
            settle(key, upload);
        }
        return version.get();
    }

    public void parsed(DocumentKey key, long version, String title, String contentType, int chunks) {
        jdbc.sql("""
                        update ingest.documents set title = :title, content_type = :contentType, chunks = :chunks,
                            state = case when state = 'RECEIVED' then 'PARSED' else state end, updated_at = :now
                        where tenant = :tenant and id = :id and version = :version
                        """)
                .param("tenant", key.tenant())
                .param("id", key.documentId())
                .param("version", version)
                .param("title", title)
                .param("contentType", contentType)
                .param("chunks", chunks)
                .param("now", now())
                .update();
    }

    public void published(DocumentKey key, long version) {
        jdbc.sql(
                        "update ingest.documents set published = true where tenant = :tenant and id = :id and version = :version")
                .param("tenant", key.tenant())
                .param("id", key.documentId())
                .param("version", version)
                .update();
    }

    /**
     * Moves a version on. States go forward only; a failed version can still become indexed, when its dead letter was replayed.
     *
     * @return whether anything changed
     */
    public boolean advance(DocumentKey key, long version, DocumentState state, @Nullable String error) {
        List<String> from = statesBefore(state).stream().map(Enum::name).toList();
        return jdbc.sql("""
                        update ingest.documents set state = :state, error = :error, updated_at = :now
                        where tenant = :tenant and id = :id and version = :version and state in (:from)
                            and (deleted or :state <> 'DELETED')
                        """)
                        .param("tenant", key.tenant())
                        .param("id", key.documentId())
                        .param("version", version)
                        .param("state", state.name())
                        .param("error", state == DocumentState.FAILED && error != null ? presentable(error) : null)
                        .param("from", from)
                        .param("now", now())
                        .update()
                > 0;
    }

    static List<DocumentState> statesBefore(DocumentState state) {
        return switch (state) {
            case RECEIVED -> List.of(DocumentState.DELETED);
            case PARSED -> List.of(DocumentState.RECEIVED);
            case EMBEDDED -> List.of(DocumentState.RECEIVED, DocumentState.PARSED);
            case INDEXED ->
                List.of(DocumentState.RECEIVED, DocumentState.PARSED, DocumentState.EMBEDDED, DocumentState.FAILED);
            case FAILED -> List.of(DocumentState.RECEIVED, DocumentState.PARSED, DocumentState.EMBEDDED);
            case DELETED ->
                List.of(
                        DocumentState.RECEIVED,
                        DocumentState.PARSED,
                        DocumentState.EMBEDDED,
                        DocumentState.INDEXED,
                        DocumentState.FAILED);
        };
    }

    /** A blob of a live version or of a waiting upload. */
    public boolean refersTo(String blob) {
        return jdbc.sql("select exists(select 1 from ingest.documents where blob = :blob)"
                        + " or exists(select 1 from ingest.documents where upload_blob = :blob)")
                .param("blob", blob)
                .query(Boolean.class)
                .single();
    }

    /** Uploads that wait for longer than {@code age}: their record may never have been written. Renews their age. */
    public List<RegisteredDocument> overdueUploads(Duration age, int limit) {
        return jdbc.sql("""
                        update ingest.documents set upload_at = :now where (tenant, id) in (
                            select tenant, id from ingest.documents where upload is not null and upload_at < :before
                            order by upload_at limit :limit for update skip locked)
                        returning *
                        """)
                .param("now", now())
                .param("before", Timestamp.from(clock.instant().minus(age)))
                .param("limit", limit)
                .query(this::read)
                .list();
    }

    /** Reasons may quote what came from outside: PostgreSQL takes no NUL, and nobody reads pages. */
    private static String presentable(String error) {
        String clean = error.codePoints()
                .filter(c ->
                        !Character.isISOControl(c) && !(c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE))
                .limit(MAX_ERROR)
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                .toString();
        return clean.isBlank() ? "unknown error" : clean;
    }

    private Timestamp now() {
        return Timestamp.from(clock.instant());
    }

    private RegisteredDocument read(ResultSet row, int number) throws SQLException {
        return new RegisteredDocument(
                new DocumentKey(row.getString("tenant"), row.getString("id")),
                row.getLong("version"),
                DocumentState.valueOf(row.getString("state")),
                row.getBoolean("deleted"),
                row.getString("content_hash"),
                readContent(row),
                row.getString("title"),
                row.getString("content_type"),
                row.getInt("chunks"),
                row.getString("error"),
                row.getBoolean("published"),
                readSource(row),
                readUpload(row),
                readInstant(row));
    }

    private static Instant readInstant(ResultSet row) throws SQLException {
        return row.getTimestamp("updated_at").toInstant();
    }

    private static @Nullable DocumentContent readContent(ResultSet row) throws SQLException {
        String blob = row.getString("blob");
        return blob == null
                ? null
                : new DocumentContent(
                        blob,
                        row.getString("declared_type"),
                        row.getString("file_name"),
                        row.getString("given_title"),
                        JSON.readValue(row.getString("metadata"), METADATA),
                        Arrays.asList((String[]) row.getArray("acl").getArray()));
    }

    private static @Nullable Source readSource(ResultSet row) throws SQLException {
        int partition = row.getInt("source_partition");
        return row.wasNull() ? null : new Source(partition, row.getLong("source_offset"), row.getLong("source_time"));
    }

    private static RegisteredDocument.@Nullable Upload readUpload(ResultSet row) throws SQLException {
        UUID upload = row.getObject("upload", UUID.class);
        return upload == null
                ? null
                : new RegisteredDocument.Upload(upload, row.getString("upload_hash"), row.getBytes("upload_event"));
    }
}
