package dev.tsumugi.engine.onednn;

import dev.tsumugi.engine.kernels.ThreadTeam;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import org.jspecify.annotations.Nullable;

/**
 * {@code out = x * weight^T + bias} for many rows: cut into blocks of rows times slices of outputs, each of which one thread computes by a
 * product compiled for its shape. The last block is padded with zero rows to a multiple of {@link #GRAIN}, so that few shapes serve all
 * batch sizes.
 */
final class LinearByOneDnn implements AutoCloseable {
    private static final int BLOCK = 128;
    private static final int GRAIN = 16;
    /** Values of the input that one task rounds. */
    private static final int SPAN = 1 << 14;

    private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;

    private final ThreadTeam team;
    private final Worker[] workers;
    private final OneDnnLibrary library;
    private Arena arena = Arena.ofShared();
    private MemorySegment input = MemorySegment.NULL;

    LinearByOneDnn(OneDnnLibrary library, ThreadTeam team, Worker[] workers) {
        this.library = library;
        this.team = team;
        this.workers = workers;
    }

    /**
     * @param out [rows, N]
     * @param x [rows, K]
     * @param bias [N], or null
     */
    void multiply(MemorySegment out, MemorySegment x, int rows, PackedMatrix matrix, @Nullable MemorySegment bias) {
        int padded = (rows + GRAIN - 1) / GRAIN * GRAIN;
        takeInput(x, rows, padded, matrix);
        int slices = matrix.slices();
        int blocks = (rows + BLOCK - 1) / BLOCK;
        team.run(blocks * slices, (task, member) -> {
            int block = task / slices;
            int slice = task % slices;
            int first = block * BLOCK;
            int count = Math.min(BLOCK, rows - first);
            library.stayOnThisThread();
            if (count % GRAIN == 0) {
                wholeBlock(out, first, count, matrix, slice, workers[member]);
            } else {
                paddedBlock(out, first, count, matrix, slice, workers[member]);
            }
            if (bias != null) {
                addBias(out, first, count, matrix, slice, bias);
            }
        });
    }

    /** Rounds {@code x} to the element type of the weights, and appends zero rows. */
    private void takeInput(MemorySegment x, int rows, int padded, PackedMatrix matrix) {
        int bytes = matrix.element().bytes();
        long wanted = (long) padded * matrix.inputs() * bytes;
        if (input.byteSize() < wanted) {
            arena.close();
            arena = Arena.ofShared();
            input = arena.allocate(wanted, 64);
        }
        long count = (long) rows * matrix.inputs();
        team.run((int) ((count + SPAN - 1) / SPAN), (task, member) -> {
            long from = (long) task * SPAN;
            int n = Math.toIntExact(Math.min(SPAN, count - from));
            if (matrix.element() == Element.BF16) {
                workers[member].round(x, from, input, n);
            } else {
                MemorySegment.copy(x, 4 * from, input, 4 * from, 4 * n);
            }
        });
        input.asSlice(count * bytes, wanted - count * bytes).fill((byte) 0);
    }

    private long inputRow(int row, PackedMatrix matrix) {
        return input.address() + (long) row * matrix.inputs() * matrix.element().bytes();
    }

    private void wholeBlock(MemorySegment out, int first, int count, PackedMatrix matrix, int slice, Worker worker) {
        int outputs = matrix.outputs();
        Product product = worker.product(
                new Product.Shape(count, matrix.inputs(), matrix.rows(slice), outputs, matrix.element()));
        product.run(
                inputRow(first, matrix),
                matrix.address(slice),
                out.address() + 4 * ((long) first * outputs + matrix.start(slice)));
    }

    private void paddedBlock(MemorySegment out, int first, int count, PackedMatrix matrix, int slice, Worker worker) {
        int width = matrix.rows(slice);
        int padded = (count + GRAIN - 1) / GRAIN * GRAIN;
        MemorySegment room = worker.room(4L * padded * width);
        Product product = worker.product(new Product.Shape(padded, matrix.inputs(), width, width, matrix.element()));
        product.run(inputRow(first, matrix), matrix.address(slice), room.address());
        for (int r = 0; r < count; r++) {
            long to = 4 * ((long) (first + r) * matrix.outputs() + matrix.start(slice));
            MemorySegment.copy(room, 4L * r * width, out, to, 4L * width);
        }
    }

    private static void addBias(
            MemorySegment out, int first, int count, PackedMatrix matrix, int slice, MemorySegment bias) {
        int start = matrix.start(slice);
        int width = matrix.rows(slice);
        for (int r = 0; r < count; r++) {
            long row = 4 * ((long) (first + r) * matrix.outputs() + start);
            for (int i = 0; i < width; i += FLOATS.length()) {
                var mask = FLOATS.indexInRange(i, width);
                var added =
                        FloatVector.fromMemorySegment(FLOATS, bias, 4L * (start + i), ByteOrder.nativeOrder(), mask);
                FloatVector.fromMemorySegment(FLOATS, out, row + 4L * i, ByteOrder.nativeOrder(), mask)
                        .add(added)
                        .intoMemorySegment(out, row + 4L * i, ByteOrder.nativeOrder(), mask);
            }
        }
    }

    @Override
    public void close() {
        arena.close();
    }
}
