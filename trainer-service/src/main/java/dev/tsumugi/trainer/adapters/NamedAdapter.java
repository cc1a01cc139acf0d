package dev.tsumugi.trainer.adapters;

import dev.tsumugi.contracts.AdapterKey;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A row of {@code adapters}, and how a change makes another of it.
 *
 * @param previous digests that it stood for before, the newest first
 * @param note what the last change was, for people
 */
record NamedAdapter(
        AdapterKey key,
        long version,
        String digest,
        List<String> previous,
        @Nullable Canary canary,
        boolean promoted,
        boolean deleted,
        String note,
        Instant changedAt) {
    static final long FIRST = 1;

    private static final int MOST_PREVIOUS = 10;

    /** @param percent of the requests that it answers */
    record Canary(String digest, int percent) {}

    NamedAdapter {
        previous = List.copyOf(previous);
    }

    static NamedAdapter first(AdapterKey key, String digest, Instant now) {
        return new NamedAdapter(key, FIRST, digest, List.of(), null, false, false, "published", now);
    }

    /** Stands for {@code other} from now on; a canary ends. After a deletion nothing is left to roll back to. */
    NamedAdapter pointedTo(String other, String why, Instant now) {
        if (deleted) {
            return new NamedAdapter(key, version + 1, other, List.of(), null, false, false, why, now);
        }
        List<String> before = new ArrayList<>(previous);
        if (!digest.equals(other)) {
            before.remove(other);
            before.addFirst(digest);
        }
        return new NamedAdapter(
                key,
                version + 1,
                other,
                before.subList(0, Math.min(before.size(), MOST_PREVIOUS)),
                null,
                promoted,
                false,
                why,
                now);
    }

    NamedAdapter withCanary(String other, int percent, Instant now) {
        return new NamedAdapter(
                key,
                version + 1,
                digest,
                previous,
                new Canary(other, percent),
                promoted,
                false,
                "canary of " + percent + " %",
                now);
    }

    NamedAdapter withPromoted(boolean value, String why, Instant now) {
        return new NamedAdapter(key, version + 1, digest, previous, canary, value, deleted, why, now);
    }

    /** Without the canary; where there is none, what it stood for before; null: there is nothing before. */
    @Nullable
    NamedAdapter rolledBack(String why, Instant now) {
        if (canary != null) {
            return new NamedAdapter(key, version + 1, digest, previous, null, promoted, false, why, now);
        }
        if (previous.isEmpty()) {
            return null;
        }
        return new NamedAdapter(
                key,
                version + 1,
                previous.getFirst(),
                previous.subList(1, previous.size()),
                null,
                promoted,
                false,
                why,
                now);
    }

    NamedAdapter withDeletion(Instant now) {
        return new NamedAdapter(key, version + 1, digest, List.of(), null, false, true, "deleted", now);
    }

    /** Whether requests can still come to {@code other}, now or after a rollback. */
    boolean needs(String other) {
        return !deleted
                && (digest.equals(other)
                        || previous.contains(other)
                        || canary != null && canary.digest().equals(other));
    }
}
