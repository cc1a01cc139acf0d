package dev.tsumugi.engine.model;

import dev.tsumugi.engine.kernels.LowRankRuns;
import dev.tsumugi.engine.kernels.LowRankUpdates;
import java.util.Arrays;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/** Neighbouring rows of a batch with the same adapter, gathered into runs. */
final class AdapterRuns {
    private AdapterRuns() {}

    /** All tokens of the batch; null when none of them has an adapter. */
    static @Nullable LowRankRuns ofTokens(Batch batch) {
        return batch.adapters().length == 0 ? null : of(batch.size(), t -> batch.adapters()[batch.sequences()[t]]);
    }

    /** The output rows of the batch; null when none of them has an adapter. */
    static @Nullable LowRankRuns ofOutputs(Batch batch) {
        return batch.adapters().length == 0
                ? null
                : of(batch.outputs().length, r -> batch.adapters()[batch.sequences()[batch.outputs()[r]]]);
    }

    private static @Nullable LowRankRuns of(int rows, IntFunction<@Nullable LowRankUpdates> ofRow) {
        int[] starts = new int[rows + 1];
        @Nullable LowRankUpdates[] updates = new LowRankUpdates[rows];
        int runs = 0;
        boolean any = false;
        for (int row = 0; row < rows; row++) {
            LowRankUpdates adapter = ofRow.apply(row);
            if (runs == 0 || updates[runs - 1] != adapter) {
                starts[runs] = row;
                updates[runs++] = adapter;
                any |= adapter != null;
            }
        }
        starts[runs] = rows;
        return any ? new LowRankRuns(Arrays.copyOf(starts, runs + 1), Arrays.copyOf(updates, runs)) : null;
    }
}
