package dev.tsumugi.engine.onednn;

import dev.tsumugi.engine.kernels.ThreadTeam;
import dev.tsumugi.engine.quant.Dequantization;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A matrix [N, K] in oneDNN's packed layout, cut into slices of rows that threads work on independently.
 */
final class PackedMatrix implements AutoCloseable {
    private static final int GRAIN = 64;
    private static final int LARGEST_SLICE = 512;
    private static final int SLICES_PER_THREAD = 2;

    private final int outputs;
    private final int inputs;
    private final Element element;
    private final int sliceRows;
    private final Arena arena;
    private final MemorySegment[] slices;

    private PackedMatrix(int outputs, int inputs, Element element, int sliceRows, Arena arena, MemorySegment[] slices) {
        this.outputs = outputs;
        this.inputs = inputs;
        this.element = element;
        this.sliceRows = sliceRows;
        this.arena = arena;
        this.slices = slices;
    }

    /** About what a packed matrix takes; layouts pad a little. */
    static long estimatedBytes(Tensor matrix, Element element) {
        return matrix.shape().elements() * element.bytes();
    }

    /** @param workers one for each member of {@code team} */
    static PackedMatrix pack(
            Tensor matrix, Element element, Descriptors descriptors, ThreadTeam team, Worker[] workers) {
        int outputs = Math.toIntExact(matrix.shape().get(0));
        int inputs = Math.toIntExact(matrix.shape().get(1));
        int wanted = (outputs + team.size() * SLICES_PER_THREAD - 1) / (team.size() * SLICES_PER_THREAD);
        int sliceRows = Math.clamp((wanted + GRAIN - 1) / GRAIN * GRAIN, GRAIN, LARGEST_SLICE);
        int count = (outputs + sliceRows - 1) / sliceRows;
        Arena arena = Arena.ofShared();
        try {
            MemorySegment[] slices = new MemorySegment[count];
            for (int s = 0; s < count; s++) {
                int rows = Math.min(sliceRows, outputs - s * sliceRows);
                slices[s] =
                        arena.allocate(descriptors.layout(inputs, rows, element).bytes(), 64);
            }
            PackedMatrix packed = new PackedMatrix(outputs, inputs, element, sliceRows, arena, slices);
            team.run(count, (s, member) -> packed.packSlice(matrix, s, workers[member]));
            return packed;
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    private void packSlice(Tensor matrix, int slice, Worker worker) {
        int rows = rows(slice);
        MemorySegment plain = worker.room((long) rows * inputs * Element.F32.bytes());
        float[] values = new float[inputs];
        for (int r = 0; r < rows; r++) {
            Dequantization.row(matrix, (long) slice * sliceRows + r, values, 0);
            long at = (long) r * inputs * Element.F32.bytes();
            MemorySegment.copy(values, 0, plain, ValueLayout.JAVA_FLOAT, at, inputs);
        }
        worker.pack(plain, slices[slice], inputs, rows, element);
    }

    int outputs() {
        return outputs;
    }

    int inputs() {
        return inputs;
    }

    Element element() {
        return element;
    }

    int slices() {
        return slices.length;
    }

    /** First row of a slice. */
    int start(int slice) {
        return slice * sliceRows;
    }

    int rows(int slice) {
        return Math.min(sliceRows, outputs - slice * sliceRows);
    }

    /** @throws IllegalStateException when the matrix is closed */
    long address(int slice) {
        if (!arena.scope().isAlive()) {
            throw new IllegalStateException("the weight is closed");
        }
        return slices[slice].address();
    }

    long byteSize() {
        long bytes = 0;
        for (MemorySegment slice : slices) {
            bytes += slice.byteSize();
        }
        return bytes;
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
