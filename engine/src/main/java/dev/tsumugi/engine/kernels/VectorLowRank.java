package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.quant.Dequantization;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import org.jspecify.annotations.Nullable;

/**
 * All updates of one adapter in one piece of memory, as fp32 or bfloat16. Each A is rows of whole vectors, read along the activation; each B is
 * panels of a vector of outputs, rank after rank.
 */
final class VectorLowRank implements LowRankUpdates {
    /** Rows of A that are multiplied together; there is always a whole number of them. */
    static final int ROWS = 2;

    /**
     * One B.
     *
     * @param outputs N
     * @param firstRow of its A among those of the update
     * @param address of [panels][rank][L]
     */
    record Part(int output, int outputs, int firstRow, int rank, long address) {
        int panels() {
            return (outputs + Lanes.L - 1) / Lanes.L;
        }
    }

    /**
     * What one number stands for.
     *
     * @param rows of all A's together, a multiple of {@link #ROWS}
     * @param scales [rows]
     * @param address of A, [rows][inputs up to whole vectors]
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Update(int inputs, int rows, float[] scales, long address, List<Part> parts) {
        int width() {
            return (inputs + Lanes.L - 1) / Lanes.L * Lanes.L;
        }
    }

    private final ArenaMemory memory;
    private final boolean half;
    private final @Nullable Update[] updates;

    private VectorLowRank(ArenaMemory memory, boolean half, @Nullable Update[] updates) {
        this.memory = memory;
        this.half = half;
        this.updates = updates;
    }

    /** @param half whether to round to bfloat16 */
    static VectorLowRank pack(List<@Nullable LowRankSource> sources, boolean half) {
        return new Packer(half).pack(sources);
    }

    static VectorLowRank of(LowRankUpdates updates) {
        if (!(updates instanceof VectorLowRank vector)) {
            throw new IllegalArgumentException("the adapter is of another backend");
        }
        if (!vector.memory.segment().scope().isAlive()) {
            throw new IllegalStateException("the adapter is closed");
        }
        return vector;
    }

    boolean half() {
        return half;
    }

    @Nullable
    Update update(int number) {
        return updates[number];
    }

    @Override
    public int count() {
        return updates.length;
    }

    @Override
    public long byteSize() {
        return memory.byteSize();
    }

    @Override
    public void close() {
        memory.close();
    }

    /** Lays the updates out, then writes them. */
    private static final class Packer {
        private final boolean half;
        private final int elementBytes;
        private float[] values = new float[0];
        private float[] panel = new float[0];
        private long size;

        Packer(boolean half) {
            this.half = half;
            elementBytes = half ? Short.BYTES : Float.BYTES;
        }

        VectorLowRank pack(List<@Nullable LowRankSource> sources) {
            List<@Nullable Update> relative = new ArrayList<>();
            for (LowRankSource source : sources) {
                relative.add(source == null ? null : layOut(source));
            }
            ArenaMemory memory = new ArenaMemory(Math.max(size, 1));
            try {
                long base = memory.segment().address();
                @Nullable Update[] updates = new Update[sources.size()];
                for (int i = 0; i < updates.length; i++) {
                    LowRankSource source = sources.get(i);
                    Update update = relative.get(i);
                    if (source != null && update != null) {
                        updates[i] = write(source, update, base);
                    }
                }
                return new VectorLowRank(memory, half, updates);
            } catch (RuntimeException | Error e) {
                memory.close();
                throw e;
            }
        }

        /** Addresses counted from 0. */
        private Update layOut(LowRankSource source) {
            int rows = (source.rank() + ROWS - 1) / ROWS * ROWS;
            float[] scales = new float[rows];
            int[] firstRows = new int[source.downs().size()];
            int row = 0;
            for (int d = 0; d < firstRows.length; d++) {
                firstRows[d] = row;
                LowRankSource.Down down = source.downs().get(d);
                for (int r = 0; r < down.a().shape().get(0); r++) {
                    scales[row++] = down.scale();
                }
            }
            List<Part> parts = new ArrayList<>();
            Update update = new Update(source.inputs(), rows, scales, 0, parts);
            long address = reserve((long) rows * update.width());
            for (LowRankSource.Up up : source.ups()) {
                int rank = (int) up.b().shape().get(1);
                Part part = new Part(up.output(), up.rows().length, firstRows[up.down()], rank, 0);
                long b = reserve((long) part.panels() * rank * Lanes.L);
                parts.add(new Part(part.output, part.outputs, part.firstRow, rank, b));
            }
            return new Update(source.inputs(), rows, scales, address, parts);
        }

        private long reserve(long elements) {
            long address = size;
            size += (elements * elementBytes + 63) / 64 * 64;
            return address;
        }

        private Update write(LowRankSource source, Update update, long base) {
            int row = 0;
            for (LowRankSource.Down down : source.downs()) {
                int rank = (int) down.a().shape().get(0);
                read(down.a());
                for (int r = 0; r < rank; r++) {
                    long to = base + update.address + (long) row++ * update.width() * elementBytes;
                    store(values, r * update.inputs, update.inputs, to);
                }
            }
            List<Part> parts = new ArrayList<>();
            for (int p = 0; p < update.parts.size(); p++) {
                Part part = update.parts.get(p);
                writePanels(source.ups().get(p), part, base + part.address);
                parts.add(new Part(part.output, part.outputs, part.firstRow, part.rank, base + part.address));
            }
            return new Update(update.inputs, update.rows, update.scales, base + update.address, List.copyOf(parts));
        }

        private void writePanels(LowRankSource.Up up, Part part, long to) {
            read(up.b());
            int[] rows = up.rows();
            int rank = part.rank;
            int size = rank * Lanes.L;
            if (panel.length < size) {
                panel = new float[size];
            }
            for (int p = 0; p < part.panels(); p++) {
                int first = p * Lanes.L;
                int valid = Math.min(Lanes.L, rows.length - first);
                if (valid < Lanes.L) {
                    Arrays.fill(panel, 0, size, 0);
                }
                for (int lane = 0; lane < valid; lane++) {
                    int from = rows[first + lane] * rank;
                    for (int r = 0; r < rank; r++) {
                        panel[r * Lanes.L + lane] = values[from + r];
                    }
                }
                store(panel, 0, size, to + (long) p * size * elementBytes);
            }
        }

        private void read(Tensor matrix) {
            int count = Math.toIntExact(matrix.shape().elements());
            if (values.length < count) {
                values = new float[count];
            }
            if (matrix.dtype() == DType.F32) {
                MemorySegment.copy(matrix.segment(), ValueLayout.JAVA_FLOAT_UNALIGNED, 0, values, 0, count);
            } else {
                Dequantization.toFloats(matrix.dtype(), matrix.memory().segment(), matrix.offset(), values, 0, count);
            }
        }

        /** Elements behind {@code count} up to a whole vector are written as zeros. */
        private void store(float[] from, int offset, int count, long to) {
            for (int i = 0; i < count; i += Lanes.L) {
                FloatVector vector = count - i >= Lanes.L
                        ? FloatVector.fromArray(Lanes.F, from, offset + i)
                        : FloatVector.fromArray(Lanes.F, from, offset + i, Lanes.F.indexInRange(0, count - i));
                if (half) {
                    Lanes.storeBFloat16(vector, to + (long) i * Short.BYTES);
                } else {
                    Lanes.store(vector, to + i * Lanes.FLOAT_BYTES);
                }
            }
        }
    }
}
