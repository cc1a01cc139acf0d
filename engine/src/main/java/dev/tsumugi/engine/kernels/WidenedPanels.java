package dev.tsumugi.engine.kernels;

/** Panels that are multiplied as fp32: some columns at a time are widened, then all tokens use them. */
abstract sealed class WidenedPanels extends PanelMatrix permits FloatPanels, HalfPanels, NibblePanels {
    /** Columns that are widened at a time; a panel of them stays in the first-level cache. */
    private static final int CHUNK = 128;

    WidenedPanels(int outputs, int inputs, long panelBytes, Slabs slabs) {
        super(outputs, inputs, panelBytes, slabs);
    }

    /**
     * Columns {@code k} until {@code k + count} of a panel as floats [count][PANEL].
     *
     * @param k a multiple of 128
     * @param scratch room for the floats, which may stay unused
     * @return address of the floats
     */
    abstract long floats(int panel, int k, int count, long scratch);

    @Override
    void prepare(Activations x) {}

    @Override
    void multiply(int panel, Activations x, long out, long outStride, int valid, Scratch scratch) {
        long room = scratch.address(CHUNK * 2 * Lanes.VECTOR_BYTES);
        for (int k = 0; k < inputs(); k += CHUNK) {
            int count = Math.min(CHUNK, inputs() - k);
            PanelProduct.multiply(
                    floats(panel, k, count, room),
                    count,
                    x.row(0) + k * Lanes.FLOAT_BYTES,
                    inputs() * Lanes.FLOAT_BYTES,
                    x.rows(),
                    out,
                    outStride,
                    valid,
                    k > 0);
        }
    }
}
