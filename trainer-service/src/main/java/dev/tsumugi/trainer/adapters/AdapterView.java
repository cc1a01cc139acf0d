package dev.tsumugi.trainer.adapters;

import dev.tsumugi.contracts.AdapterKey;
import dev.tsumugi.contracts.event.AdapterReport;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A name as people see it.
 *
 * @param shared comes with the product and serves all tenants
 * @param digest what it stands for
 * @param promoted answers where no adapter is named
 * @param previous what a rollback returns to, the newest first
 * @param note what the last change was
 * @param metrics of what it stands for now
 * @param versions all that it can be made to stand for, the newest first
 * @param replicas what each replica of the generator that is alive serves under this name
 */
record AdapterView(
        String name,
        boolean shared,
        long version,
        String digest,
        boolean promoted,
        NamedAdapter.@Nullable Canary canary,
        List<String> previous,
        String note,
        Instant changedAt,
        Map<String, Object> metrics,
        List<AdapterVersion> versions,
        List<Replica> replicas) {

    /**
     * @param digest absent: it does not serve the name
     * @param version of the name that the replica has seen
     */
    record Replica(
            String replica,
            @Nullable String digest,
            @Nullable String canary,
            @Nullable Long version,
            @Nullable String refused,
            @Nullable String error,
            Instant reportedAt) {}

    static AdapterView of(NamedAdapter adapter, List<AdapterVersion> versions, List<AdapterReport> reports) {
        return new AdapterView(
                adapter.key().name(),
                adapter.key().isShared(),
                adapter.version(),
                adapter.digest(),
                adapter.promoted(),
                adapter.canary(),
                adapter.previous(),
                adapter.note(),
                adapter.changedAt(),
                versions.stream()
                        .filter(version -> version.digest().equals(adapter.digest()))
                        .findFirst()
                        .map(AdapterVersion::metrics)
                        .orElse(Map.of()),
                versions,
                reports.stream().map(report -> replica(adapter.key(), report)).toList());
    }

    private static Replica replica(AdapterKey key, AdapterReport report) {
        Optional<AdapterReport.Served> served = report.adapters().stream()
                .filter(one -> one.tenant().equals(key.tenant()) && one.name().equals(key.name()))
                .findFirst();
        return new Replica(
                report.replica(),
                served.map(AdapterReport.Served::digest).orElse(null),
                served.map(AdapterReport.Served::canary).orElse(null),
                served.map(AdapterReport.Served::version).orElse(null),
                served.map(AdapterReport.Served::refused).orElse(null),
                served.map(AdapterReport.Served::error).orElse(null),
                report.at());
    }
}
