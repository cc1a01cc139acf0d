package dev.tsumugi.engine.kernels;

/**
 * A ragged batch as {@link Kernels#plan} laid it out for its backend: ids, rope angles and cache slots of every token. Valid for one forward
 * pass: until the next plan or {@link #close}.
 */
public interface BatchPlan extends AutoCloseable {
    /** T. */
    int tokens();

    /** How many rows {@link Kernels#gatherOutputs} gives. */
    int outputs();

    @Override
    void close();
}
