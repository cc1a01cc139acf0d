package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.quant.Nf4;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.HostMemory;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A matrix [N, K] whose rows are those of several matrices in NF4, one below another.
 *
 * @param inputs K
 */
public record Nf4Matrix(List<Part> parts, int inputs) {

    /**
     * @param codes of a matrix [rows, K] as it was quantized
     * @param order which of its rows each row here is; null: they stand as they were quantized
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    public record Part(Nf4 codes, int rows, int @Nullable [] order) {
        /** Row of {@link #codes} that row {@code n} of the part is. */
        public int row(int n) {
            return order == null ? n : order[n];
        }
    }

    /** N. */
    public int outputs() {
        return parts.stream().mapToInt(Part::rows).sum();
    }

    /** F32 [N, K] in memory of {@code arena}: what the codes stand for. */
    public Tensor dequantize(Arena arena) {
        Tensor matrix = new Tensor(
                DType.F32,
                new Shape(outputs(), inputs),
                new HostMemory(arena.allocate(4L * outputs() * inputs, 64)),
                0);
        MemorySegment to = matrix.segment();
        long at = 0;
        for (Part part : parts) {
            float[] values = part.codes().dequantize();
            for (int n = 0; n < part.rows(); n++, at += 4L * inputs) {
                MemorySegment.copy(values, part.row(n) * inputs, to, ValueLayout.JAVA_FLOAT, at, inputs);
            }
        }
        return matrix;
    }
}
