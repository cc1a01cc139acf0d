package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.KernelContract;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.tensor.DType;

/** The GPU's kernels against the reference where many rows go to the tensor cores, which round to bfloat16. */
class FastEmulatedKernelsTests extends KernelContract {
    /**
     * Queries, keys, weights and values are each off by up to 1/512; scores reach 20, and so the weights are off by 4 %.
     */
    static final double ATTENTION_TOLERANCE = 0.05;

    /** Either factor is off by at most half a step of 8 bits where the tensor cores multiply. */
    static double tolerance(int rows) {
        return rows > CudaKernels.FEW_ROWS ? 1.0 / 128 : 2e-6;
    }

    @Override
    protected Backend open() {
        return Emulation.backend(Precision.FAST);
    }

    @Override
    protected double linearTolerance(DType dtype, int rows) {
        return tolerance(rows);
    }

    @Override
    protected double attentionTolerance() {
        return ATTENTION_TOLERANCE;
    }
}
