package dev.tsumugi.contracts.event;

import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Value of {@code adapter-status}: which adapters one replica of the generator serves. The key is the replica; signed as
 * {@link AdapterRegistration} is. Sent on every change and twice a minute.
 *
 * @param baseDigest of the model that this replica serves
 */
public record AdapterReport(int schemaVersion, String replica, String baseDigest, List<Served> adapters, Instant at) {
    public static final int SCHEMA_VERSION = 1;

    /**
     * @param version of the registration that the replica has seen
     * @param digest what answers; null: nothing yet
     * @param canary digest of the canary that answers a part; null: none does
     * @param refused digest that was asked for and does not serve
     * @param error why it does not
     */
    public record Served(
            String tenant,
            String name,
            long version,
            @Nullable String digest,
            @Nullable String canary,
            @Nullable String refused,
            @Nullable String error) {}
}
