package dev.tsumugi.engine.kernels;

/** Low-rank updates by the Vector API. */
class VectorLowRankTests extends LowRankContract {
    @Override
    protected Backend open(Precision precision) {
        return new VectorBackend(3, precision);
    }
}
