package dev.tsumugi.engine.kernels;

import org.jspecify.annotations.Nullable;

/**
 * Which rows of an activation take which adapter: rows {@code starts[i]} until {@code starts[i + 1]} take {@code updates[i]}, or none where
 * that is null.
 *
 * @param starts ascending from 0, one more than there are updates
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
public record LowRankRuns(int[] starts, @Nullable LowRankUpdates[] updates) {

    /** @throws IllegalArgumentException when the starts do not fit the updates or do not ascend */
    public LowRankRuns {
        if (starts.length != updates.length + 1 || starts[0] != 0) {
            throw new IllegalArgumentException(starts.length + " starts do not fit " + updates.length + " runs");
        }
        for (int i = 0; i < updates.length; i++) {
            if (starts[i + 1] < starts[i]) {
                throw new IllegalArgumentException("run " + i + " ends at " + starts[i + 1] + " before " + starts[i]);
            }
        }
    }

    /** How many runs. */
    public int count() {
        return updates.length;
    }

    /** Rows of all runs. */
    public int rows() {
        return starts[updates.length];
    }
}
