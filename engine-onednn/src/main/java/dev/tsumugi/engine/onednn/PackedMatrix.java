package dev.tsumugi.engine.onednn;

import dev.tsumugi.engine.kernels.RotatedInt8;
import dev.tsumugi.engine.kernels.Slabs;
import dev.tsumugi.engine.kernels.ThreadTeam;
import dev.tsumugi.engine.quant.Dequantization;
import dev.tsumugi.engine.tensor.OwnedMemory;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.LongStream;

/**
 * A matrix [N, K] in oneDNN's packed layout, cut into slices of rows that threads work on independently. In {@link Element#INT8} each row has
 * a scale, and an offset: what its sums are too large by, because inputs are stored raised to 0..255.
 */
final class PackedMatrix implements AutoCloseable {
    private static final int GRAIN = 16;
    private static final long CACHE_LINE = 64;
    private static final int LARGEST_SLICE = 512;
    /** Bytes of a slice in fp32 beyond which slices are packed one after another. */
    private static final long LARGEST_ROOM = 16L << 20;

    private final int outputs;
    private final int inputs;
    private final Element element;
    private final int sliceRows;
    private final OwnedMemory memory;
    private final MemorySegment[] slices;
    private final MemorySegment scales;
    private final MemorySegment offsets;

    private PackedMatrix(int outputs, int inputs, Element element, int sliceRows, long[] sliceBytes, Slabs slabs) {
        this.outputs = outputs;
        this.inputs = inputs;
        this.element = element;
        this.sliceRows = sliceRows;
        long scaleBytes = element == Element.INT8 ? aligned(4L * outputs) : 0;
        memory = slabs.allocate(
                LongStream.of(sliceBytes).map(PackedMatrix::aligned).sum() + 2 * scaleBytes);
        MemorySegment all = memory.segment();
        scales = all.asSlice(0, scaleBytes);
        offsets = all.asSlice(scaleBytes, scaleBytes);
        slices = new MemorySegment[sliceBytes.length];
        long from = 2 * scaleBytes;
        for (int s = 0; s < slices.length; s++) {
            slices[s] = all.asSlice(from, sliceBytes[s]);
            from += aligned(sliceBytes[s]);
        }
    }

    private static long aligned(long bytes) {
        return bytes + CACHE_LINE - 1 & -CACHE_LINE;
    }

    /** About what a packed matrix takes; layouts pad a little. */
    static long estimatedBytes(Tensor matrix, Element element) {
        return matrix.shape().elements() * element.bytes();
    }

    /** @param workers one for each member of {@code team} */
    static PackedMatrix pack(
            Tensor matrix, Element element, Descriptors descriptors, ThreadTeam team, Slabs slabs, Worker[] workers) {
        return pack(matrix, false, element, descriptors, team, slabs, workers);
    }

    /**
     * @param transposed packs the transpose of {@code matrix}
     * @param workers one for each member of {@code team}
     */
    static PackedMatrix pack(
            Tensor matrix,
            boolean transposed,
            Element element,
            Descriptors descriptors,
            ThreadTeam team,
            Slabs slabs,
            Worker[] workers) {
        int outputs = Math.toIntExact(matrix.shape().get(transposed ? 1 : 0));
        int inputs = Math.toIntExact(matrix.shape().get(transposed ? 0 : 1));
        // As many slices for each thread, so that a single block of rows keeps all of them busy to the end.
        int wanted = Math.ceilDiv(Math.ceilDiv(outputs, LARGEST_SLICE), team.size()) * team.size();
        int sliceRows = Math.ceilDiv(Math.ceilDiv(outputs, wanted), GRAIN) * GRAIN;
        int count = Math.ceilDiv(outputs, sliceRows);
        long[] sliceBytes = new long[count];
        for (int s = 0; s < count; s++) {
            int rows = Math.min(sliceRows, outputs - s * sliceRows);
            sliceBytes[s] = descriptors.layout(inputs, rows, element).bytes();
        }
        PackedMatrix packed = new PackedMatrix(outputs, inputs, element, sliceRows, sliceBytes, slabs);
        try {
            slabs.fill(packed.memory, matrix, packed.form(transposed, descriptors), () -> {
                if (4L * sliceRows * inputs > LARGEST_ROOM) {
                    for (int s = 0; s < count; s++) {
                        packed.packSlice(matrix, transposed, s, workers[0]);
                    }
                } else {
                    team.run(count, (s, member) -> packed.packSlice(matrix, transposed, s, workers[member]));
                }
            });
            return packed;
        } catch (RuntimeException | Error e) {
            packed.close();
            throw e;
        }
    }

    /** What its bytes hang on: how it is cut, and the layouts that oneDNN chose on this machine. */
    private String form(boolean transposed, Descriptors descriptors) {
        StringBuilder form =
                new StringBuilder("oneDNN " + element + (transposed ? " transposed" : "") + " by " + sliceRows);
        for (int s = 0; s < slices.length; s += Math.max(1, slices.length - 1)) {
            form.append(' ')
                    .append(Integer.toHexString(
                            descriptors.layout(inputs, rows(s), element).checksum()));
        }
        return form.toString();
    }

    private void packSlice(Tensor matrix, boolean transposed, int slice, Worker worker) {
        int rows = rows(slice);
        long floatBytes = 4L * inputs;
        try (Arena local = Arena.ofConfined()) {
            MemorySegment floats = local.allocate(rows * floatBytes, 64);
            if (transposed) {
                takeColumns(matrix, slice, floats);
            } else {
                float[] values = new float[inputs];
                for (int r = 0; r < rows; r++) {
                    Dequantization.row(matrix, start(slice) + r, values, 0);
                    MemorySegment.copy(values, 0, floats, ValueLayout.JAVA_FLOAT, r * floatBytes, inputs);
                }
            }
            if (element != Element.INT8) {
                worker.pack(floats, slices[slice], inputs, rows, element);
                return;
            }
            MemorySegment turned = local.allocate(4L * RotatedInt8.room(inputs), 64);
            MemorySegment bytes = local.allocate((long) rows * inputs, 64);
            for (int r = 0; r < rows; r++) {
                roundRow(
                        start(slice) + r,
                        floats.asSlice(r * floatBytes, floatBytes),
                        turned,
                        bytes.asSlice((long) r * inputs, inputs));
            }
            worker.pack(bytes, slices[slice], inputs, rows, element);
        }
    }

    /** Columns of {@code matrix} as the rows of a slice. */
    private void takeColumns(Tensor matrix, int slice, MemorySegment to) {
        int first = start(slice);
        int rows = rows(slice);
        float[] values = new float[outputs];
        for (int n = 0; n < inputs; n++) {
            Dequantization.row(matrix, n, values, 0);
            for (int r = 0; r < rows; r++) {
                to.setAtIndex(ValueLayout.JAVA_FLOAT, (long) r * inputs + n, values[first + r]);
            }
        }
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
        if (!slices[slice].scope().isAlive()) {
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
        return memory.byteSize();
    }

    @Override
    public void close() {
        memory.close();
    }
}
