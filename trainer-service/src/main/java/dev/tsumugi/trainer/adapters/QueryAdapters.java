package dev.tsumugi.trainer.adapters;

import dev.tsumugi.contracts.AdapterKey;
import dev.tsumugi.platform.adapters.QueryAdapter;
import dev.tsumugi.platform.web.ProblemException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Optional;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RestController;

/** Query adapters, by the SHA-256 of their content, for embed-services to fetch. Of any tenant: the gateway has no way here. */
@RestController
public class QueryAdapters {
    /** Of an adapter's metrics: the digest of the query adapter that goes with it. */
    public static final String METRIC = "queryAdapter";

    private final JdbcClient jdbc;
    private final AdapterRegistry registry;

    QueryAdapters(JdbcClient jdbc, AdapterRegistry registry) {
        this.jdbc = jdbc;
        this.registry = registry;
    }

    /** @return digest; storing the same again renews its age */
    public String store(QueryAdapter adapter) {
        byte[] content = adapter.content();
        String digest = digest(content);
        jdbc.sql("""
                        INSERT INTO query_adapters (digest, content) VALUES (?, ?)
                        ON CONFLICT (digest) DO UPDATE SET created_at = now()""").params(digest, content).update();
        return digest;
    }

    /** The one that goes with what a name stands for now; empty where none does. */
    public Optional<QueryAdapter> of(String tenant, String name) {
        AdapterKey key = new AdapterKey(tenant, name);
        return registry.find(key)
                .filter(adapter -> !adapter.deleted())
                .flatMap(adapter -> registry.versions(key).stream()
                        .filter(version -> version.digest().equals(adapter.digest()))
                        .findFirst()
                        .flatMap(
                                version -> Optional.ofNullable(version.metrics().get(METRIC)))
                        .flatMap(digest -> find(digest.toString()))
                        .map(QueryAdapter::parse));
    }

    /**
     * Deletes those that no version of an adapter names.
     *
     * @param grace in which the job that stored one has it named
     */
    void collect(Duration grace) {
        jdbc.sql("""
                        DELETE FROM query_adapters q WHERE created_at < now() - make_interval(secs => ?)
                          AND NOT EXISTS (SELECT 1 FROM adapter_versions v WHERE v.metrics ->> ? = q.digest)""").params(grace.toSeconds(), METRIC).update();
    }

    private Optional<byte[]> find(String digest) {
        return jdbc.sql("SELECT content FROM query_adapters WHERE digest = ?")
                .param(digest)
                .query(byte[].class)
                .optional();
    }

    @GetMapping("/internal/query-adapters/{digest}")
    ResponseEntity<byte[]> content(@PathVariable String digest) {
        return ResponseEntity.ok()
                .contentType(MediaType.APPLICATION_OCTET_STREAM)
                .body(find(digest)
                        .orElseThrow(() -> ProblemException.notFound(
                                "query-adapter-unknown", "There is no query adapter with the digest " + digest + ".")));
    }

    private static String digest(byte[] content) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
