package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.OwnedMemory;
import dev.tsumugi.engine.tensor.Tensor;

/**
 * A matrix [N, K] repacked so that a vector holds the same column of neighbouring rows: panels of {@link Lanes#PANEL} rows, in each of them
 * column after column. A product then needs no horizontal sums, and each output has one fixed order of summation, whatever the batch.
 */
abstract sealed class PanelMatrix implements Weight permits WidenedPanels, BytePanels {
    private final int outputs;
    private final int inputs;
    private final OwnedMemory memory;
    private final long panelBytes;
    private final long address;

    PanelMatrix(int outputs, int inputs, long panelBytes, Slabs slabs) {
        this.outputs = outputs;
        this.inputs = inputs;
        this.panelBytes = panelBytes;
        memory = slabs.allocate(Math.multiplyExact(panelBytes, (long) (outputs + Lanes.PANEL - 1) / Lanes.PANEL));
        address = memory.segment().address();
    }

    /** Packs {@code matrix}, sharing the panels out over {@code team}. */
    static PanelMatrix pack(Tensor matrix, ThreadTeam team, Slabs slabs) {
        Sizes.requireMatrix(matrix);
        int outputs = (int) matrix.shape().get(0);
        int inputs = (int) matrix.shape().get(1);
        DType dtype = matrix.dtype();
        Sizes.requireNumbers(dtype);
        PanelMatrix packed;
        if (dtype == DType.F16 || dtype == DType.BF16) {
            packed = new HalfPanels(outputs, inputs, dtype == DType.BF16, slabs);
        } else if (QuantizedBlock.isNibble(dtype)) {
            packed = new NibblePanels(outputs, inputs, dtype, slabs);
        } else if (QuantizedBlock.reads(dtype)) {
            packed = new BytePanels(
                    outputs, inputs, new QuantizedBlock(dtype).group, QuantizedBlock.hasMinimum(dtype), slabs);
        } else {
            packed = new FloatPanels(outputs, inputs, slabs);
        }
        try {
            String form = packed.getClass().getSimpleName() + " of " + Lanes.PANEL + " rows";
            slabs.fill(
                    packed.memory,
                    matrix,
                    form,
                    () -> team.run(packed.panels(), (panel, member) -> {
                        int last = Math.min(outputs, (panel + 1) * Lanes.PANEL);
                        packed.packRows(matrix, panel, panel * Lanes.PANEL, last);
                    }));
        } catch (RuntimeException | Error e) {
            packed.close();
            throw e;
        }
        return packed;
    }

    /** Writes rows {@code from} until {@code to} of {@code matrix} to {@code panel}; missing rows stay zero. */
    abstract void packRows(Tensor matrix, int panel, int from, int to);

    /** Makes the form of {@code x} ready that {@link #multiply} reads. */
    abstract void prepare(Activations x);

    /**
     * {@code out[t, n] = sum over k of x[t, k] * panel[n, k]}.
     *
     * @param x prepared
     * @param out first token's first row of this panel
     * @param outStride bytes from token to token
     * @param valid rows of the panel that the matrix has
     * @param scratch of the calling thread
     */
    abstract void multiply(int panel, Activations x, long out, long outStride, int valid, Scratch scratch);

    final int panels() {
        return (outputs + Lanes.PANEL - 1) / Lanes.PANEL;
    }

    final long panelAddress(int panel) {
        return address + panel * panelBytes;
    }

    @Override
    public final int outputs() {
        return outputs;
    }

    @Override
    public final int inputs() {
        return inputs;
    }

    @Override
    public final long byteSize() {
        return memory.byteSize();
    }

    @Override
    public final void close() {
        memory.close();
    }

    /** Fails when the memory is gone already, which raw addresses would not notice. */
    final void requireOpen() {
        if (!memory.segment().scope().isAlive()) {
            throw new IllegalStateException("the weight is closed");
        }
    }
}
