package dev.tsumugi.engine.onednn;

import dev.tsumugi.engine.kernels.RotatedInt8;
import dev.tsumugi.engine.kernels.ThreadTeam;
import dev.tsumugi.engine.quant.Dequantization;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A matrix [N, K] in oneDNN's packed layout, cut into slices of rows that threads work on independently. In {@link Element#INT8} each row has
 * a scale, and an offset: what its sums are too large by, because inputs are stored raised to 0..255.
 */
final class PackedMatrix implements AutoCloseable {
    private static final int GRAIN = 16;
    private static final int LARGEST_SLICE = 512;

    private final int outputs;
    private final int inputs;
    private final Element element;
    private final int sliceRows;
    private final Arena arena;
    private final MemorySegment[] slices;
    private final MemorySegment scales;
    private final MemorySegment offsets;

    private PackedMatrix(int outputs, int inputs, Element element, int sliceRows, Arena arena, MemorySegment[] slices) {
        this.outputs = outputs;
        this.inputs = inputs;
        this.element = element;
        this.sliceRows = sliceRows;
        this.arena = arena;
        this.slices = slices;
        int scaled = element == Element.INT8 ? outputs : 0;
        scales = arena.allocate(ValueLayout.JAVA_FLOAT, scaled);
        offsets = arena.allocate(ValueLayout.JAVA_INT, scaled);
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
        // As many slices for each thread, so that a single block of rows keeps all of them busy to the end.
        int wanted = Math.ceilDiv(Math.ceilDiv(outputs, LARGEST_SLICE), team.size()) * team.size();
        int sliceRows = Math.ceilDiv(Math.ceilDiv(outputs, wanted), GRAIN) * GRAIN;
        int count = Math.ceilDiv(outputs, sliceRows);
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
        long rowBytes = (long) inputs * (element == Element.INT8 ? element : Element.F32).bytes();
        MemorySegment plain = worker.room(rows * rowBytes);
        float[] values = new float[inputs];
        try (Arena local = Arena.ofConfined()) {
            MemorySegment row = local.allocate(4L * inputs, 64);
            MemorySegment turned = local.allocate(4L * RotatedInt8.room(inputs), 64);
            for (int r = 0; r < rows; r++) {
                Dequantization.row(matrix, start(slice) + r, values, 0);
                MemorySegment.copy(values, 0, row, ValueLayout.JAVA_FLOAT, 0, inputs);
                MemorySegment to = plain.asSlice(r * rowBytes, rowBytes);
                if (element == Element.INT8) {
                    roundRow(start(slice) + r, row, turned, to);
                } else {
                    to.copyFrom(row);
                }
            }
        }
        worker.pack(plain, slices[slice], inputs, rows, element);
    }

    private void roundRow(int n, MemorySegment row, MemorySegment turned, MemorySegment to) {
        float scale = RotatedInt8.quantize(row, 0, inputs, turned, 0, to.address());
        int sum = 0;
        for (long i = 0; i < inputs; i++) {
            sum += to.get(ValueLayout.JAVA_BYTE, i);
        }
        scales.setAtIndex(ValueLayout.JAVA_FLOAT, n, scale / RotatedInt8.gain(inputs));
        offsets.setAtIndex(ValueLayout.JAVA_INT, n, RotatedInt8.OFFSET * sum);
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

    /** Address of fp32 [rows(slice)]; {@link Element#INT8} only. */
    long scales(int slice) {
        return scales.address() + 4L * start(slice);
    }

    /** Address of int [rows(slice)]; {@link Element#INT8} only. */
    long offsets(int slice) {
        return offsets.address() + 4L * start(slice);
    }

    long byteSize() {
        long bytes = scales.byteSize() + offsets.byteSize();
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
