package dev.tsumugi.engine.adapter;

import dev.tsumugi.engine.kernels.LowRankUpdates;

/** One request's hold on an adapter, which stays in memory until the last hold is given back. */
public final class AdapterLease implements AutoCloseable {
    private final AdapterSlots.Slot slot;
    private boolean closed;

    AdapterLease(AdapterSlots.Slot slot) {
        this.slot = slot;
    }

    public String digest() {
        return slot.digest;
    }

    /** What a batch takes; not to be used after {@link #close}. */
    public LowRankUpdates updates() {
        return slot.updates;
    }

    /** Gives the hold back, between two forward passes; a second call does nothing. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            slot.release();
        }
    }
}
