package dev.tsumugi.generator.model;

import dev.tsumugi.contracts.AdapterKey;
import dev.tsumugi.engine.adapter.AdapterSlots;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * Names of adapters, each a pointer to the loaded adapter that it stands for now. Readers see one state or the next, and what they hold stays
 * loaded until they give it back. Safe for use by many threads.
 */
public final class AdapterNames {
    private final AdapterSlots slots;
    /** How many hold each adapter. One that is held is not unloaded, for its holder may be about to submit a request. */
    private final Map<String, Integer> holds = new HashMap<>();

    private volatile Map<AdapterKey, Named> names = Map.of();

    AdapterNames(AdapterSlots slots) {
        this.slots = slots;
    }

    /**
     * What a name stands for.
     *
     * @param digest of a loaded adapter
     * @param canary of another one, which answers a part; null: none
     * @param promoted answers where no adapter is named
     * @param since when the name was changed to this; of two promoted ones the later answers
     */
    public record Named(
            AdapterKey key,
            long version,
            String digest,
            @Nullable Canary canary,
            boolean promoted,
            Instant since) {

        Set<String> digests() {
            Set<String> digests = new HashSet<>();
            digests.add(digest);
            if (canary != null) {
                digests.add(canary.digest());
            }
            return digests;
        }
    }

    /**
     * A new adapter on trial.
     *
     * @param percent of the requests for its name that it answers
     * @param health counts how it does
     */
    public record Canary(String digest, int percent, CanaryHealth health) {

        /** The same text is always answered by the same one of the two, and the texts of one canary say nothing of the next one's. */
        boolean answers(String text) {
            CRC32C hash = new CRC32C();
            hash.update(digest.getBytes(StandardCharsets.UTF_8));
            hash.update(text.getBytes(StandardCharsets.UTF_8));
            return hash.getValue() % 100 < percent;
        }
    }

    /** Lets a name stand for something else from now on, and unloads what no name stands for any more, once its requests are done. */
    public synchronized void put(Named named) {
        Map<AdapterKey, Named> changed = new HashMap<>(names);
        Named before = changed.put(named.key(), named);
        names = Map.copyOf(changed);
        unloadUnneeded(before);
    }

    /** Forgets a name. */
    public synchronized void remove(AdapterKey key) {
        Map<AdapterKey, Named> changed = new HashMap<>(names);
        Named before = changed.remove(key);
        names = Map.copyOf(changed);
        unloadUnneeded(before);
    }

    private void unloadUnneeded(@Nullable Named before) {
        if (before != null) {
            before.digests().forEach(this::unloadUnneeded);
        }
    }

    private void unloadUnneeded(String digest) {
        if (!isNamed(digest) && !holds.containsKey(digest)) {
            slots.unload(digest);
        }
    }

    /** Keeps an adapter loaded, whether or not a name stands for it, until the hold is closed; it may be loaded after this. */
    public synchronized Hold keep(String digest) {
        holds.merge(digest, 1, Integer::sum);
        return new Hold(digest);
    }

    /** One reason for an adapter to stay. */
    public final class Hold implements AutoCloseable {
        private final String digest;
        private boolean closed;

        private Hold(String digest) {
            this.digest = digest;
        }

        public String digest() {
            return digest;
        }

        /** A second call does nothing. Requests that were submitted meanwhile go on. */
        @Override
        public void close() {
            synchronized (AdapterNames.this) {
                if (!closed) {
                    closed = true;
                    holds.computeIfPresent(digest, (unused, count) -> count == 1 ? null : count - 1);
                    unloadUnneeded(digest);
                }
            }
        }
    }

    /** Whether some name stands for this adapter, so that it is loaded and has been tried. */
    public boolean isNamed(String digest) {
        return names.values().stream().anyMatch(named -> named.digests().contains(digest));
    }

    /** What the name of just this tenant stands for, or null. */
    public @Nullable Named get(AdapterKey key) {
        return names.get(key);
    }

    /** Names that a tenant may ask for: its own, and those of all. */
    public Set<String> visibleTo(String tenant) {
        Set<String> visible = new TreeSet<>();
        names.keySet().stream()
                .filter(key -> key.isShared() || key.tenant().equals(tenant))
                .forEach(key -> visible.add(key.name()));
        return visible;
    }

    /**
     * Holds what the tenant means by {@code name}: its own adapter, else the one of all; null when there is neither.
     *
     * @param text of the request, which decides whether a canary answers it
     */
    synchronized @Nullable HeldAdapter hold(String tenant, String name, String text) {
        AdapterKey own;
        try {
            own = new AdapterKey(tenant, name);
        } catch (IllegalArgumentException e) {
            return null;
        }
        Named named = names.get(own);
        return hold(named == null ? names.get(AdapterKey.shared(name)) : named, text);
    }

    /** Holds what answers the tenant where no adapter is named: its own promoted one, else that of all; null when there is neither. */
    synchronized @Nullable HeldAdapter holdPromoted(String tenant, String text) {
        Named own = promoted(tenant);
        return hold(own == null ? promoted("") : own, text);
    }

    /** The one that was promoted last. */
    private @Nullable Named promoted(String tenant) {
        Named latest = null;
        for (Named named : names.values()) {
            if (named.promoted()
                    && named.key().tenant().equals(tenant)
                    && (latest == null || !named.since().isBefore(latest.since()))) {
                latest = named;
            }
        }
        return latest;
    }

    private @Nullable HeldAdapter hold(@Nullable Named named, String text) {
        if (named == null) {
            return null;
        }
        Canary canary = named.canary();
        return canary != null && canary.answers(text)
                ? new HeldAdapter(named.key().name(), keep(canary.digest()), canary.health())
                : new HeldAdapter(named.key().name(), keep(named.digest()), null);
    }

    /** Takes the canary from a name, if it is this one. */
    public synchronized void dropCanary(AdapterKey key, String digest) {
        Named named = names.get(key);
        if (named != null && named.canary() != null && named.canary().digest().equals(digest)) {
            put(new Named(key, named.version(), named.digest(), null, named.promoted(), named.since()));
        }
    }

    /** All that names stand for now. */
    public Set<Named> all() {
        return new HashSet<>(names.values());
    }
}
