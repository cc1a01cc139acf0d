package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.LowRankSource;
import dev.tsumugi.engine.kernels.LowRankUpdates;
import dev.tsumugi.engine.quant.Dequantization;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An adapter as the device reads it: all its A's and B's in fp32 behind a table that kernels look a number up in (low_rank.cuh). It lies in pinned memory of
 * the host, from where {@link AdapterTier} brings it to the device.
 */
final class CudaLowRank implements LowRankUpdates {
    /** Outputs that an update may add to: parameters of a kernel. */
    static final int MOST_OUTPUTS = 4;

    /** Bytes of {@code LowRankUpdate} and {@code LowRankPart}. */
    private static final int UPDATE_BYTES = 24;

    private static final int PART_BYTES = 32;

    private final List<Update> updates = new ArrayList<>();
    private final AdapterTier tier;
    private final PinnedMemory memory;

    /** One output of an update. */
    record Part(int output, int outputs) {}

    /**
     * What the host knows of an update.
     *
     * @param ranks of all A's together; 0: no update
     * @param inputs K
     */
    record Update(int ranks, int inputs, List<Part> parts) {}

    /** @param sources by number; null where there is no update */
    CudaLowRank(Device device, AdapterTier tier, List<@Nullable LowRankSource> sources) {
        this.tier = tier;
        int parts = 0;
        long values = 0;
        for (LowRankSource source : sources) {
            if (source == null) {
                updates.add(new Update(0, 0, List.of()));
                continue;
            }
            int ranks = 0;
            for (LowRankSource.Down down : source.downs()) {
                ranks += (int) down.a().shape().get(0);
            }
            values += (long) ranks * source.inputs();
            List<Part> outputs = new ArrayList<>();
            boolean[] taken = new boolean[MOST_OUTPUTS];
            for (LowRankSource.Up up : source.ups()) {
                if (up.output() >= MOST_OUTPUTS || taken[up.output()]) {
                    throw new IllegalArgumentException(
                            "output " + up.output() + " of an adapter is given twice, or is over " + (MOST_OUTPUTS - 1)
                                    + "; the GPU adds to each of " + MOST_OUTPUTS + " outputs once");
                }
                taken[up.output()] = true;
                values += up.b().shape().get(1) * up.rows().length;
                outputs.add(new Part(up.output(), up.rows().length));
                parts++;
            }
            updates.add(new Update(ranks, source.inputs(), outputs));
        }
        long tables = (long) sources.size() * UPDATE_BYTES + (long) parts * PART_BYTES;
        tables = tables + 255 & -256;
        memory = new PinnedMemory(device, tables + values * Float.BYTES);
        try {
            write(memory.segment(), sources, tables);
            tier.add(this);
        } catch (RuntimeException | Error e) {
            memory.close();
            throw e;
        }
    }

    private void write(MemorySegment to, List<@Nullable LowRankSource> sources, long valuesAt) {
        long update = 0;
        long part = (long) sources.size() * UPDATE_BYTES;
        long value = valuesAt;
        for (int number = 0; number < sources.size(); number++, update += UPDATE_BYTES) {
            LowRankSource source = sources.get(number);
            if (source == null) {
                continue;
            }
            to.set(ValueLayout.JAVA_LONG, update, value);
            to.set(ValueLayout.JAVA_LONG, update + 8, part);
            to.set(ValueLayout.JAVA_INT, update + 16, updates.get(number).ranks());
            to.set(ValueLayout.JAVA_INT, update + 20, source.ups().size());
            int[] firstRank = new int[source.downs().size()];
            int ranks = 0;
            for (int d = 0; d < firstRank.length; d++) {
                firstRank[d] = ranks;
                Tensor a = source.downs().get(d).a();
                float[] row = new float[source.inputs()];
                for (int r = 0; r < a.shape().get(0); r++, value += (long) row.length * Float.BYTES) {
                    Dequantization.row(a, r, row, 0);
                    MemorySegment.copy(row, 0, to, ValueLayout.JAVA_FLOAT, value, row.length);
                }
                ranks += (int) a.shape().get(0);
            }
            for (LowRankSource.Up up : source.ups()) {
                int rank = (int) up.b().shape().get(1);
                to.set(ValueLayout.JAVA_LONG, part, value);
                to.set(ValueLayout.JAVA_INT, part + 8, up.output());
                to.set(ValueLayout.JAVA_INT, part + 12, up.rows().length);
                to.set(ValueLayout.JAVA_INT, part + 16, firstRank[up.down()]);
                to.set(ValueLayout.JAVA_INT, part + 20, rank);
                to.set(
                        ValueLayout.JAVA_FLOAT,
                        part + 24,
                        source.downs().get(up.down()).scale());
                part += PART_BYTES;
                value += writeTransposed(to, value, up, rank);
            }
        }
    }

    /** B as [rank][outputs], in the order of the outputs. Returns its bytes. */
    private static long writeTransposed(MemorySegment to, long at, LowRankSource.Up up, int rank) {
        float[] row = new float[rank];
        int outputs = up.rows().length;
        for (int n = 0; n < outputs; n++) {
            Dequantization.row(up.b(), up.rows()[n], row, 0);
            for (int r = 0; r < rank; r++) {
                to.set(ValueLayout.JAVA_FLOAT, at + ((long) r * outputs + n) * Float.BYTES, row[r]);
            }
        }
        return (long) rank * outputs * Float.BYTES;
    }

    static CudaLowRank of(LowRankUpdates updates) {
        if (updates instanceof CudaLowRank own) {
            return own;
        }
        throw new IllegalArgumentException("the adapter is of another backend");
    }

    Update update(int number) {
        return updates.get(number);
    }

    /** Most ranks of an update. */
    int mostRanks() {
        return updates.stream().mapToInt(Update::ranks).max().orElse(0);
    }

    /**
     * All of it.
     *
     * @throws IllegalStateException when it was freed
     */
    MemorySegment image() {
        return memory.segment();
    }

    @Override
    public int count() {
        return updates.size();
    }

    @Override
    public long byteSize() {
        return memory.byteSize();
    }

    @Override
    public void close() {
        tier.remove(this);
        memory.close();
    }
}
