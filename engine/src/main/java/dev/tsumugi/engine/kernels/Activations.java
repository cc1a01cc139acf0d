package dev.tsumugi.engine.kernels;

/** The input of linear layers, [rows, K], in the forms that panels multiply; each is made once for all layers that share the input. */
final class Activations {
    /** Rows from which on widening a 4-bit panel to fp32 once pays, so that rounding the activations gains nothing. */
    static final int WIDENED_ROWS = 8;

    private final Precision precision;
    private final QuantizedRows quantized = new QuantizedRows();
    private float[] floats = new float[0];
    private long address;
    private int rows;
    private int inputs;
    private boolean isQuantized;
    private boolean isCopied;

    Activations(Precision precision) {
        this.precision = precision;
    }

    /** @param address of fp32 [rows, inputs], to be read until the next call */
    void set(long address, int rows, int inputs) {
        this.address = address;
        this.rows = rows;
        this.inputs = inputs;
        isQuantized = false;
        isCopied = false;
    }

    int rows() {
        return rows;
    }

    /** Whether 4-bit weights are multiplied with {@link #quantized}. */
    boolean areRounded() {
        return precision == Precision.FAST && rows < WIDENED_ROWS;
    }

    /** Makes {@link #quantized} ready. */
    void round() {
        if (!isQuantized) {
            isQuantized = true;
            quantized.reserve(rows, inputs);
            for (int r = 0; r < rows; r++) {
                quantized.quantize(r, row(r));
            }
        }
    }

    /** Makes {@link #floats} ready. */
    void copy() {
        if (!isCopied) {
            isCopied = true;
            int count = Math.multiplyExact(rows, inputs);
            if (floats.length < count) {
                floats = new float[count];
            }
            Lanes.copy(address, floats, count);
        }
    }

    long row(int row) {
        return address + (long) row * inputs * Lanes.FLOAT_BYTES;
    }

    QuantizedRows quantized() {
        return quantized;
    }

    /** The rows on the heap, where an access to an array is a fraction of the code that one to a segment is. */
    float[] floats() {
        return floats;
    }
}
