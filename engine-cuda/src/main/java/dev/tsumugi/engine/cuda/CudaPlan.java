package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.BatchLayout;
import dev.tsumugi.engine.kernels.BatchPlan;

/**
 * A batch whose arrays are on the device. Tokens of runs that are long enough for the tensor cores stand behind the others in {@link #rows}, and
 * are cut into tiles.
 *
 * @param rows address of [T] tokens, those of short runs first
 * @param shortRows how many are of short runs
 * @param tiles address of [tiles, 2] first token and number of tokens
 * @param tablePitch from one block table to the next
 * @param chunks that the longest context is cut into, or somewhat more
 */
record CudaPlan(
        BatchLayout layout,
        long tokenIds,
        long positions,
        long sequences,
        long rows,
        int shortRows,
        long tiles,
        int tileCount,
        long outputRows,
        long tables,
        int tablePitch,
        long frequencies,
        int pairs,
        int chunks,
        Commands commands)
        implements BatchPlan {

    static CudaPlan of(BatchPlan plan) {
        if (plan instanceof CudaPlan own) {
            return own;
        }
        throw new IllegalArgumentException("the plan is of another backend");
    }

    @Override
    public int tokens() {
        return layout.tokens();
    }

    @Override
    public int outputs() {
        return layout.outputs();
    }

    /** What was asked for is on its way from here on: adapters and caches that it reads may be freed, which waits for it. */
    @Override
    public void close() {
        commands.flush();
    }
}
