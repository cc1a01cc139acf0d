package dev.tsumugi.engine.kernels;

/** The Vector API against the reference, with exact activations. */
class VectorBackendTests extends KernelContract {
    @Override
    protected Backend open() {
        return new VectorBackend(3, Precision.EXACT);
    }
}
