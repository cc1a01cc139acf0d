package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.quant.Dequantization;
import dev.tsumugi.engine.tensor.Tensor;

/** Panels of fp32, read where they lie. */
final class FloatPanels extends WidenedPanels {

    FloatPanels(int outputs, int inputs, Slabs slabs) {
        super(outputs, inputs, inputs * Lanes.PANEL * Lanes.FLOAT_BYTES, slabs);
    }

    @Override
    void packRows(Tensor matrix, int panel, int from, int to) {
        float[] row = new float[inputs()];
        for (int n = from; n < to; n++) {
            Dequantization.row(matrix, n, row, 0);
            long lane = panelAddress(panel) + (n - from) * Lanes.FLOAT_BYTES;
            for (int k = 0; k < row.length; k++) {
                Lanes.setFloat(lane + k * Lanes.PANEL * Lanes.FLOAT_BYTES, row[k]);
            }
        }
    }

    @Override
    long floats(int panel, int k, int count, long scratch) {
        return panelAddress(panel) + k * Lanes.PANEL * Lanes.FLOAT_BYTES;
    }
}
