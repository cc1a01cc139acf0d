package dev.tsumugi.generator.model;

import dev.tsumugi.engine.adapter.AdapterLease;
import org.jspecify.annotations.Nullable;

/** The adapter of one request, which stays in memory, whatever its name stands for meanwhile, until this is closed. */
final class HeldAdapter implements AutoCloseable {
    private final String name;
    private final AdapterLease lease;
    private final @Nullable CanaryHealth canary;

    /** @param canary null: the adapter is not on trial */
    HeldAdapter(String name, AdapterLease lease, @Nullable CanaryHealth canary) {
        this.name = name;
        this.lease = lease;
        this.canary = canary;
        if (canary != null) {
            canary.began();
        }
    }

    String name() {
        return name;
    }

    String digest() {
        return lease.digest();
    }

    /** The model broke off with it. */
    void failed() {
        if (canary != null) {
            canary.failed();
        }
    }

    @Override
    public void close() {
        lease.close();
    }
}
