package dev.tsumugi.engine.onednn;

import dev.tsumugi.engine.kernels.BFloat16;
import dev.tsumugi.engine.kernels.FloatProduct;
import dev.tsumugi.engine.kernels.MatrixView;
import dev.tsumugi.engine.kernels.RotatedInt8;
import dev.tsumugi.engine.kernels.ThreadTeam;
import dev.tsumugi.engine.kernels.TrainingKernels.Addend;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import org.jspecify.annotations.Nullable;

/**
 * {@code out = x * weight^T + bias} for many rows, of one or several weights over the same input: cut into blocks of rows times slices of
 * outputs, each of which one thread computes by a product compiled for its shape. The last block is padded with rows of zeros to a multiple of
 * {@link #GRAIN}, so that few shapes serve all batch sizes.
 */
final class LinearByOneDnn implements AutoCloseable {
    private static final int BLOCK = 128;
    private static final int GRAIN = 8;
    /** Values of the input that one task rounds. */
    private static final int SPAN = 1 << 14;

    private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;

    private final RotatedInt8 integers = new RotatedInt8();
    private final FloatProduct products = new FloatProduct();
    private final ThreadTeam team;
    private final Worker[] workers;
    private final OneDnnLibrary library;
    private Arena arena = Arena.ofShared();
    private MemorySegment input = MemorySegment.NULL;
    private MemorySegment scales = MemorySegment.NULL;

    LinearByOneDnn(OneDnnLibrary library, ThreadTeam team, Worker[] workers) {
        this.library = library;
        this.team = team;
        this.workers = workers;
    }

    /**
     * One product of a call.
     *
     * @param out [rows, N]
     * @param bias [N], or null
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Part(
            MemorySegment out,
            PackedMatrix matrix,
            @Nullable MemorySegment bias,
            Addend... addends) {}

    /**
     * @param x [rows, K]
     * @param parts of one K and element type
     */
    void multiply(MemorySegment x, int rows, Part... parts) {
        takeInput(x, rows, parts[0].matrix.inputs(), parts[0].matrix.element());
        int slices = 0;
        for (Part part : parts) {
            slices += part.matrix.slices();
        }
        int allSlices = slices;
        int blocks = Math.ceilDiv(rows, BLOCK);
        team.run(blocks * allSlices, (task, member) -> {
            int first = task / allSlices * BLOCK;
            int slice = task % allSlices;
            int p = 0;
            for (; slice >= parts[p].matrix.slices(); p++) {
                slice -= parts[p].matrix.slices();
            }
            library.stayOnThisThread();
            block(parts[p], slice, first, Math.min(BLOCK, rows - first), workers[member]);
        });
    }

    private void block(Part part, int slice, int first, int count, Worker worker) {
        PackedMatrix matrix = part.matrix;
        if (matrix.element() != Element.INT8 && count % GRAIN == 0) {
            product(matrix, slice, count, matrix.outputs(), worker)
                    .run(inputRow(first, matrix), matrix.address(slice), outRow(part, slice, first));
            if (part.bias != null) {
                for (int r = 0; r < count; r++) {
                    addBias(part.out, outRow(part, slice, first + r) - part.out.address(), matrix, slice, part.bias);
                }
            }
            addProducts(part, slice, first, count);
            return;
        }
        int width = matrix.rows(slice);
        int padded = Math.ceilDiv(count, GRAIN) * GRAIN;
        MemorySegment room = worker.room(4L * padded * width);
        product(matrix, slice, padded, width, worker)
                .run(inputRow(first, matrix), matrix.address(slice), room.address());
        long outBytes = (long) matrix.outputs() * Float.BYTES;
        for (int r = 0; r < count; r += GRAIN) {
            // Some rows at a time, while they are in the first-level cache.
            int some = Math.min(GRAIN, count - r);
            long sums = room.address() + 4L * r * width;
            long to = outRow(part, slice, first + r);
            if (matrix.element() == Element.INT8) {
                integers.restore(
                        sums,
                        some,
                        width,
                        scales.address() + 4L * (first + r),
                        matrix.offsets(slice),
                        matrix.scales(slice),
                        part.bias == null ? 0 : part.bias.address() + 4L * matrix.start(slice),
                        to,
                        outBytes);
            } else {
                for (int i = 0; i < some; i++) {
                    long at = to + i * outBytes - part.out.address();
                    MemorySegment.copy(room, 4L * (r + i) * width, part.out, at, 4L * width);
                    if (part.bias != null) {
                        addBias(part.out, at, matrix, slice, part.bias);
                    }
                }
            }
            addProducts(part, slice, first + r, some);
        }
    }

    private void addProducts(Part part, int slice, int first, int count) {
        PackedMatrix matrix = part.matrix;
        long outBytes = (long) matrix.outputs() * Float.BYTES;
        for (Addend addend : part.addends) {
            MatrixView left = addend.left();
            MatrixView right = addend.right();
            int from = Math.max(matrix.start(slice), addend.firstColumn());
            int end = Math.min(matrix.start(slice) + matrix.rows(slice), addend.firstColumn() + right.columns());
            for (int r = 0; from < end && r < count; r += GRAIN) {
                products.add(
                        part.out.address() + (first + r) * outBytes + (long) from * Float.BYTES,
                        outBytes,
                        address(left) + (first + r) * left.rowStride() * Float.BYTES,
                        left.rowStride() * Float.BYTES,
                        left.columnStride() * Float.BYTES,
                        address(right) + (long) (from - addend.firstColumn()) * Float.BYTES,
                        right.rowStride() * Float.BYTES,
                        Math.min(GRAIN, count - r),
                        end - from,
                        left.columns());
            }
        }
    }

    private static long address(MatrixView view) {
        return view.tensor().segment().address() + view.offset() * Float.BYTES;
    }

    private static Product product(PackedMatrix matrix, int slice, int rows, int outStride, Worker worker) {
        return worker.product(
                new Product.Shape(rows, matrix.inputs(), matrix.rows(slice), outStride, matrix.element()));
    }

    private static long outRow(Part part, int slice, int row) {
        return part.out.address() + 4 * ((long) row * part.matrix.outputs() + part.matrix.start(slice));
    }

    private long inputRow(int row, PackedMatrix matrix) {
        return input.address() + (long) row * matrix.inputs() * matrix.element().bytes();
    }

    /** Rounds {@code x} to {@code element}, and appends rows of zeros. */
    private void takeInput(MemorySegment x, int rows, int inputs, Element element) {
        int padded = Math.ceilDiv(rows, GRAIN) * GRAIN;
        long rowBytes = (long) inputs * element.bytes();
        reserve(padded * rowBytes, 4L * padded);
        if (element == Element.INT8) {
            int rowsOfTask = Math.clamp(SPAN / inputs, 1, GRAIN);
            team.run(Math.ceilDiv(rows, rowsOfTask), (task, member) -> {
                int end = Math.min(rows, (task + 1) * rowsOfTask);
                for (int r = task * rowsOfTask; r < end; r++) {
                    roundRow(x, r, inputs, workers[member]);
                }
            });
        } else {
            long count = (long) rows * inputs;
            team.run((int) Math.ceilDiv(count, (long) SPAN), (task, member) -> {
                long from = (long) task * SPAN;
                int n = Math.toIntExact(Math.min(SPAN, count - from));
                if (element == Element.BF16) {
                    BFloat16.round(x.address() + 4 * from, input.address() + 2 * from, n);
                } else {
                    MemorySegment.copy(x, 4 * from, input, 4 * from, 4L * n);
                }
            });
        }
        input.asSlice(rows * rowBytes, (padded - rows) * rowBytes).fill((byte) 0);
    }

    private void roundRow(MemorySegment x, int row, int inputs, Worker worker) {
        MemorySegment room = worker.room(4L * RotatedInt8.room(inputs));
        long to = input.address() + (long) row * inputs;
        float scale = RotatedInt8.quantize(x, 4L * row * inputs, inputs, room, RotatedInt8.OFFSET, to);
        scales.set(ValueLayout.JAVA_FLOAT, 4L * row, scale);
    }

    private void reserve(long inputBytes, long scaleBytes) {
        if (input.byteSize() < inputBytes || scales.byteSize() < scaleBytes) {
            // Given up before more is asked for, so that a refusal leaves nothing that looks usable.
            input = MemorySegment.NULL;
            scales = MemorySegment.NULL;
            arena.close();
            arena = Arena.ofShared();
            input = arena.allocate(inputBytes, 64);
            scales = arena.allocate(scaleBytes, 64);
        }
    }

    private static void addBias(MemorySegment out, long row, PackedMatrix matrix, int slice, MemorySegment bias) {
        int start = matrix.start(slice);
        int width = matrix.rows(slice);
        for (int i = 0; i < width; i += FLOATS.length()) {
            var mask = FLOATS.indexInRange(i, width);
            var added = FloatVector.fromMemorySegment(FLOATS, bias, 4L * (start + i), ByteOrder.nativeOrder(), mask);
            FloatVector.fromMemorySegment(FLOATS, out, row + 4L * i, ByteOrder.nativeOrder(), mask)
                    .add(added)
                    .intoMemorySegment(out, row + 4L * i, ByteOrder.nativeOrder(), mask);
        }
    }

    @Override
    public void close() {
        arena.close();
    }
}
