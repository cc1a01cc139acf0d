package dev.tsumugi.generator.model;

import org.jspecify.annotations.Nullable;

/** The adapter of one request, which stays loaded, whatever its name stands for meanwhile, until this is closed. */
final class HeldAdapter implements AutoCloseable {
    private final String name;
    private final AdapterNames.Hold hold;
    private final @Nullable CanaryHealth canary;

    /** @param canary null: the adapter is not on trial */
    HeldAdapter(String name, AdapterNames.Hold hold, @Nullable CanaryHealth canary) {
        this.name = name;
        this.hold = hold;
        this.canary = canary;
        if (canary != null) {
            canary.began();
        }
    }

    String name() {
        return name;
    }

    String digest() {
        return hold.digest();
    }

    /** The model broke off with it. */
    void failed() {
        if (canary != null) {
            canary.failed();
        }
    }

    @Override
    public void close() {
        hold.close();
    }
}
