package dev.tsumugi.engine.adapter;

import dev.tsumugi.engine.files.ModelFileException;
import dev.tsumugi.engine.kernels.LowRankUpdates;
import dev.tsumugi.engine.model.LanguageModel;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The adapters of one model that requests can name, by digest. Loading never disturbs requests: an adapter is read and checked (base shapes,
 * finite values, digest) beside them, and is there when all is well, or not at all. One that is unloaded takes no new requests and goes with
 * its last one. Safe for use by many threads.
 */
public final class AdapterSlots implements AutoCloseable {
    private final LanguageModel model;
    private final AdapterLimits limits;
    private final Object loading = new Object();
    private final Map<String, Slot> slots = new LinkedHashMap<>();
    private long bytes;
    private boolean closed;

    public AdapterSlots(LanguageModel model, AdapterLimits limits) {
        this.model = model;
        this.limits = limits;
    }

    /** One adapter; its fields that change are guarded by the slots around it. */
    final class Slot {
        final String digest;
        final LowRankUpdates updates;
        private final int rank;
        private final int layers;
        private final Map<String, String> metadata;
        private int users;
        private boolean leaving;

        Slot(String digest, PeftAdapter adapter, LowRankUpdates updates) {
            this.digest = digest;
            this.updates = updates;
            rank = adapter.rank();
            layers = adapter.pairs().size();
            metadata = Map.copyOf(adapter.metadata());
        }

        LoadedAdapter describe() {
            return new LoadedAdapter(digest, rank, layers, updates.byteSize(), users, leaving, metadata);
        }

        void release() {
            synchronized (slots) {
                users--;
                freeIfDone();
            }
        }

        private void freeIfDone() {
            if (leaving && users == 0 && slots.remove(digest, this)) {
                bytes -= updates.byteSize();
                updates.close();
            }
        }
    }

    /**
     * Loads the adapter of a PEFT folder; one that is loaded already stays, and takes requests again if it was leaving.
     *
     * @param expectedDigest what it must have, or null
     * @throws ModelFileException when it is unsound, does not fit the model, or has another digest
     * @throws AdapterLimitException when there is no room
     * @throws IllegalStateException after {@link #close}
     */
    public LoadedAdapter load(Path folder, @Nullable String expectedDigest) {
        synchronized (loading) {
            try (PeftAdapter adapter = PeftAdapter.open(folder)) {
                String digest = checked(adapter, expectedDigest);
                LoadedAdapter known = known(digest);
                if (known != null) {
                    return known;
                }
                // No backend keeps a value in less than two bytes, so this refuses the hopeless before any memory is
                // taken.
                requireRoom(folder, 2 * adapter.elements());
                adapter.requireFinite();
                return add(folder, adapter, digest, model.prepareAdapter(adapter.pairs()));
            }
        }
    }

    /**
     * Looks at the adapter of a PEFT folder as {@link #load} does, without loading it.
     *
     * @param expectedDigest what it must have, or null
     * @return it as it would be, with the bytes that its values take at least
     * @throws ModelFileException when it is unsound, does not fit the model, or has another digest
     */
    public LoadedAdapter check(Path folder, @Nullable String expectedDigest) {
        try (PeftAdapter adapter = PeftAdapter.open(folder)) {
            String digest = checked(adapter, expectedDigest);
            adapter.requireFinite();
            return new LoadedAdapter(
                    digest,
                    adapter.rank(),
                    adapter.pairs().size(),
                    2 * adapter.elements(),
                    0,
                    false,
                    adapter.metadata());
        }
    }

    private String checked(PeftAdapter adapter, @Nullable String expectedDigest) {
        adapter.requireFits(model.adaptableModules());
        String digest = adapter.digest();
        if (expectedDigest != null && !expectedDigest.equals(digest)) {
            throw new ModelFileException(
                    adapter.folder(),
                    "has the digest " + digest + " where " + expectedDigest + " is expected",
                    "Fetch it again, or name the right one");
        }
        return digest;
    }

    private @Nullable LoadedAdapter known(String digest) {
        synchronized (slots) {
            requireOpen();
            Slot slot = slots.get(digest);
            if (slot == null) {
                return null;
            }
            slot.leaving = false;
            return slot.describe();
        }
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the engine is closed");
        }
    }

    /** Adds what is not there: nobody else can have added it while this one was loading. */
    private LoadedAdapter add(Path folder, PeftAdapter adapter, String digest, LowRankUpdates updates) {
        boolean kept = false;
        try {
            synchronized (slots) {
                requireOpen();
                requireRoom(folder, updates.byteSize());
                Slot slot = new Slot(digest, adapter, updates);
                slots.put(digest, slot);
                bytes += updates.byteSize();
                kept = true;
                return slot.describe();
            }
        } finally {
            if (!kept) {
                updates.close();
            }
        }
    }

    private void requireRoom(Path folder, long more) {
        synchronized (slots) {
            if (slots.size() >= limits.maxAdapters()) {
                throw new AdapterLimitException(
                        slots.size() + " adapters are loaded, and no more are allowed; unload one"
                                + " or raise the limit to load " + folder);
            }
            if (more > limits.maxBytes() - bytes) {
                throw new AdapterLimitException(folder + " takes " + more + " bytes or more, and " + bytes + " of "
                        + limits.maxBytes() + " allowed for adapters are taken; unload one or raise the limit");
            }
        }
    }

    /** Lets no new request use this adapter; its memory is freed with the last one. Returns whether it was loaded. */
    public boolean unload(String digest) {
        synchronized (slots) {
            Slot slot = slots.get(digest);
            if (slot == null || slot.leaving) {
                return false;
            }
            slot.leaving = true;
            slot.freeIfDone();
            return true;
        }
    }

    /** All that are in memory, the oldest first. */
    public List<LoadedAdapter> loaded() {
        synchronized (slots) {
            return slots.values().stream().map(Slot::describe).toList();
        }
    }

    /** What the weights' file of a loaded adapter says of it; empty when it is not loaded. */
    public Map<String, String> metadata(String digest) {
        synchronized (slots) {
            Slot slot = slots.get(digest);
            return slot == null ? Map.of() : slot.metadata;
        }
    }

    /**
     * Holds an adapter for a request.
     *
     * @throws UnknownAdapterException when it is not loaded, or leaving
     */
    public AdapterLease acquire(String digest) {
        synchronized (slots) {
            Slot slot = slots.get(digest);
            if (slot == null || slot.leaving) {
                throw new UnknownAdapterException(digest);
            }
            slot.users++;
            return new AdapterLease(slot);
        }
    }

    /** Unloads all; those that requests still hold go with them. */
    @Override
    public void close() {
        synchronized (slots) {
            closed = true;
            List.copyOf(slots.values()).forEach(slot -> {
                slot.leaving = true;
                slot.freeIfDone();
            });
        }
    }
}
