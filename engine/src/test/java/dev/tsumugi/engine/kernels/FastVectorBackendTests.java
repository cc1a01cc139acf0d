package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.tensor.DType;

/** The Vector API against the reference where activations of few rows are rounded to 8 bits. */
class FastVectorBackendTests extends KernelContract {
    @Override
    protected Backend open() {
        return new VectorBackend(2, Precision.FAST);
    }

    @Override
    protected double linearTolerance(DType dtype, int rows) {
        // Half a step of 1/127 of a block's largest activation, of which each may be off; uniform ones are half of it
        // on average.
        return QuantizedBlock.isNibble(dtype) && rows < Activations.WIDENED_ROWS ? 1.0 / 127 : 2e-6;
    }
}
