package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.quant.Dequantization;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** A matrix the other way round. */
public final class Transposed {
    private Transposed() {}

    /**
     * @param matrix [N, K] in host memory, of any type
     * @return F32 [K, N] in memory of its own, which the caller frees
     */
    public static Tensor copy(Tensor matrix) {
        int rows = Math.toIntExact(matrix.shape().get(0));
        int columns = Math.toIntExact(matrix.shape().get(1));
        Tensor turned = new Tensor(DType.F32, new Shape(columns, rows), new ArenaMemory(4L * rows * columns), 0);
        MemorySegment to = turned.segment();
        float[] row = new float[columns];
        for (int r = 0; r < rows; r++) {
            Dequantization.row(matrix, r, row, 0);
            for (int c = 0; c < columns; c++) {
                to.setAtIndex(ValueLayout.JAVA_FLOAT, (long) c * rows + r, row[c]);
            }
        }
        return turned;
    }
}
