package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.LowRankRuns;
import dev.tsumugi.engine.kernels.LowRankUpdates;
import dev.tsumugi.engine.kernels.Sizes;
import dev.tsumugi.engine.tensor.Tensor;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Low-rank updates of a batch. Which rows take which adapter is sent once a forward pass: for its tokens, and for its output rows. Where the device
 * has no room for all adapters of a batch together, they are applied one after another.
 */
final class LowRankLauncher implements AutoCloseable {
    /** As in low_rank.cuh. */
    private static final int SEGMENT = 8;

    private static final int SEGMENT_BYTES = 16;
    private static final int RANKS_A_BLOCK = 4;
    private static final int OUTPUTS_A_BLOCK = 128;
    private static final int THREADS = 128;

    private final Device device;
    private final Commands commands;
    private final AdapterTier adapters;
    private final Scratch shrunk;
    private final Table[] tables;

    /** Segments of one {@link LowRankRuns}. */
    private static final class Table {
        final Staging staging;

        @Nullable
        LowRankRuns runs;

        /** {@link AdapterTier#evictions} when it was filled: later ones may have taken what it points to. */
        long evictions;

        long address;
        int segments;

        Table(Staging staging) {
            this.staging = staging;
        }
    }

    LowRankLauncher(Device device, Commands commands, AdapterTier adapters) {
        this.device = device;
        this.commands = commands;
        this.adapters = adapters;
        shrunk = new Scratch(device, commands);
        tables = new Table[] {
            new Table(new Staging(device, commands::flush)), new Table(new Staging(device, commands::flush))
        };
    }

    /** The device has done all it was given: tables may be written anew. */
    void reset() {
        for (Table table : tables) {
            table.runs = null;
        }
    }

    /** As {@link dev.tsumugi.engine.kernels.Kernels#addLowRank}. */
    void add(Tensor[] outs, Tensor x, LowRankRuns runs, int number) {
        Sizes.requireRuns(runs, number);
        int ranks = 0;
        int parts = 0;
        int outputs = 0;
        int pitch = 0;
        int inputs = 0;
        for (int i = 0; i < runs.count(); i++) {
            LowRankUpdates updates = runs.updates()[i];
            if (updates == null || runs.starts()[i + 1] == runs.starts()[i]) {
                continue;
            }
            CudaLowRank adapter = CudaLowRank.of(updates);
            CudaLowRank.Update update = adapter.update(number);
            for (CudaLowRank.Part part : update.parts()) {
                Sizes.requireLowRank(outs, part.output(), part.outputs(), x, update.inputs(), runs.starts()[i + 1]);
                outputs = Math.max(outputs, part.outputs());
            }
            ranks = Math.max(ranks, update.ranks());
            parts = Math.max(parts, update.parts().size());
            inputs = Math.max(inputs, update.inputs());
            pitch = Math.max(pitch, adapter.mostRanks());
        }
        if (ranks == 0) {
            return;
        }
        Table table = table(runs);
        if (table == null) {
            oneByOne(outs, x, runs, number);
            return;
        }
        long room = shrunk.floats((long) runs.rows() * pitch);
        commands.launch("low_rank_shrink", table.segments, Math.ceilDiv(ranks, RANKS_A_BLOCK), 1, THREADS)
                .add(room)
                .add(DeviceMemory.address(x))
                .add(table.address)
                .add(number)
                .add(inputs)
                .add(pitch)
                .end();
        commands.launch("low_rank_expand", table.segments, Math.ceilDiv(outputs, OUTPUTS_A_BLOCK), parts, THREADS);
        for (int o = 0; o < CudaLowRank.MOST_OUTPUTS; o++) {
            commands.add(o < outs.length ? DeviceMemory.address(outs[o]) : 0L);
        }
        commands.add(room).add(table.address).add(number).add(pitch).end();
    }

    /** Null when the adapters do not fit the device together. */
    private @Nullable Table table(LowRankRuns runs) {
        for (Table table : tables) {
            if (table.runs == runs && table.evictions == adapters.evictions()) {
                return table;
            }
        }
        Set<CudaLowRank> needed = Collections.newSetFromMap(new IdentityHashMap<>());
        for (LowRankUpdates updates : runs.updates()) {
            if (updates != null) {
                needed.add(CudaLowRank.of(updates));
            }
        }
        // Evicting frees memory, before which all that was asked for must be on its way.
        if (!adapters.bring(needed, commands::flush)) {
            return null;
        }
        for (Table table : tables) {
            if (table.runs == null) {
                fill(table, runs);
                return table;
            }
        }
        commands.flush();
        device.synchronize();
        reset();
        fill(tables[0], runs);
        return tables[0];
    }

    private void oneByOne(Tensor[] outs, Tensor x, LowRankRuns runs, int number) {
        for (int i = 0; i < runs.count(); i++) {
            LowRankUpdates updates = runs.updates()[i];
            if (updates == null || runs.starts()[i] == runs.starts()[i + 1]) {
                continue;
            }
            if (!adapters.bring(Set.of(CudaLowRank.of(updates)), commands::flush)) {
                throw new CudaException(
                        "bringing an adapter of " + (updates.byteSize() >> 20) + " MiB to " + device.name(),
                        2,
                        "the budget is used up",
                        "other adapters have been taken away already");
            }
            int[] starts = {0, runs.starts()[i], runs.starts()[i + 1]};
            add(outs, x, new LowRankRuns(starts, new @Nullable LowRankUpdates[] {null, updates}), number);
            // The tables of the next one are written at the same place.
            commands.flush();
            device.synchronize();
            reset();
        }
    }

    private void fill(Table table, LowRankRuns runs) {
        int most = 0;
        for (int i = 0; i < runs.count(); i++) {
            most += Math.ceilDiv(runs.starts()[i + 1] - runs.starts()[i], SEGMENT);
        }
        table.staging.begin((long) most * SEGMENT_BYTES, 1);
        table.address = table.staging.part();
        table.segments = 0;
        for (int i = 0; i < runs.count(); i++) {
            LowRankUpdates updates = runs.updates()[i];
            if (updates == null) {
                continue;
            }
            long address = adapters.address(CudaLowRank.of(updates));
            for (int row = runs.starts()[i]; row < runs.starts()[i + 1]; row += SEGMENT) {
                table.staging.put(address);
                table.staging.put(row);
                table.staging.put(Math.min(SEGMENT, runs.starts()[i + 1] - row));
                table.segments++;
            }
        }
        table.staging.send();
        table.runs = runs;
        table.evictions = adapters.evictions();
    }

    @Override
    public void close() {
        for (Table table : tables) {
            table.staging.close();
        }
        shrunk.close();
    }
}
