package dev.tsumugi.contracts.event;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Value of {@code adapter-registry}: what the name of an adapter stands for now. The key is {@link dev.tsumugi.contracts.AdapterKey}; a null
 * value forgets the name. Records are signed, and those with another signature are passed over.
 *
 * @param tenant empty: serves all tenants
 * @param version rises with every change of the name; a lower one is old
 * @param digest of the adapter that the name stands for, lower-case hexadecimal
 * @param baseDigest of the model that it was trained on
 * @param previous digests that a rollback returns to, the newest first
 * @param promoted answers the questions of its tenant that name no adapter
 * @param canary another adapter that answers a part of the requests for this name
 * @param jobId of the training job that made it
 * @param metrics what its training and evaluation measured
 */
public record AdapterRegistration(
        int schemaVersion,
        String tenant,
        String name,
        long version,
        String digest,
        String baseDigest,
        List<String> previous,
        boolean promoted,
        @Nullable Canary canary,
        @Nullable String jobId,
        Map<String, Object> metrics,
        Instant at) {
    public static final int SCHEMA_VERSION = 1;

    /** @param percent of the requests for the name, 1 to 100 */
    public record Canary(String digest, String baseDigest, int percent) {}
}
