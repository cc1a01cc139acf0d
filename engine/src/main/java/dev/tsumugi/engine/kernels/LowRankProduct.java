package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.kernels.VectorLowRank.Part;
import dev.tsumugi.engine.kernels.VectorLowRank.Update;
import dev.tsumugi.engine.tensor.Tensor;
import jdk.incubator.vector.FloatVector;

/**
 * Low-rank updates by the Vector API. A task takes some rows of one run through A and B, so that no thread waits for another in between; what a
 * row gets does not depend on the rows beside it.
 */
final class LowRankProduct {
    /** Rows that share each load of A; those of B are shared by two, with {@link #RANKS} shrunk values of each in registers. */
    private static final int GRAIN = 4;
    /** Most rows of a task: their shrunk values stay in the first-level cache. */
    private static final int MOST_ROWS = 32;
    /** Tasks per thread that even out runs of different length. */
    private static final int TASKS_PER_THREAD = 2;
    /** Multiplications below which waking other threads costs more than they save. */
    private static final long SMALL = 1 << 15;

    /** Ranks that are expanded together. */
    private static final int RANKS = 4;

    private static final long SUMS_BYTES = 2L * GRAIN * Lanes.VECTOR_BYTES;

    private final ThreadTeam team;
    private final Scratch[] scratch;

    LowRankProduct(ThreadTeam team, Scratch[] scratch) {
        this.team = team;
        this.scratch = scratch;
    }

    /** As {@link Kernels#addLowRank}. */
    void add(Tensor[] outs, Tensor x, LowRankRuns runs, int number) {
        long work = check(outs, x, runs, number);
        if (work == 0) {
            return;
        }
        long in = VectorKernels.address(x);
        long[] out = new long[outs.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = VectorKernels.address(outs[i]);
        }
        if (work < SMALL) {
            for (int run = 0; run < runs.count(); run++) {
                addRows(out, in, runs, run, number, runs.starts()[run], runs.starts()[run + 1], 0);
            }
            return;
        }
        int share = runs.rows() / (team.size() * TASKS_PER_THREAD) + GRAIN - 1 & -GRAIN;
        int rows = Math.clamp(share, GRAIN, MOST_ROWS);
        int tasks = 0;
        for (int run = 0; run < runs.count(); run++) {
            tasks += tasks(runs, run, rows);
        }
        team.run(tasks, (task, member) -> {
            int run = 0;
            int index = task;
            for (int count = tasks(runs, 0, rows); index >= count; count = tasks(runs, run, rows)) {
                index -= count;
                run++;
            }
            int from = runs.starts()[run] + index * rows;
            addRows(out, in, runs, run, number, from, Math.min(from + rows, runs.starts()[run + 1]), member);
        });
    }

    private static int tasks(LowRankRuns runs, int run, int rows) {
        return runs.updates()[run] == null ? 0 : (runs.starts()[run + 1] - runs.starts()[run] + rows - 1) / rows;
    }

    /** Checks all sizes. Returns how many multiplications there are to do. */
    private static long check(Tensor[] outs, Tensor x, LowRankRuns runs, int number) {
        Sizes.requireRuns(runs, number);
        long work = 0;
        for (int run = 0; run < runs.count(); run++) {
            LowRankUpdates updates = runs.updates()[run];
            Update update = updates == null ? null : VectorLowRank.of(updates).update(number);
            if (update == null) {
                continue;
            }
            long perRow = (long) update.rows() * update.inputs();
            for (Part part : update.parts()) {
                Sizes.requireLowRank(outs, part.output(), part.outputs(), x, update.inputs(), runs.starts()[run + 1]);
                perRow += (long) part.rank() * part.outputs();
            }
            work += perRow * (runs.starts()[run + 1] - runs.starts()[run]);
        }
        return work;
    }

    private void addRows(long[] out, long x, LowRankRuns runs, int run, int number, int from, int end, int member) {
        LowRankUpdates updates = runs.updates()[run];
        if (updates == null || from == end) {
            return;
        }
        VectorLowRank adapter = VectorLowRank.of(updates);
        Update update = adapter.update(number);
        if (update == null) {
            return;
        }
        int rows = end - from;
        // In front of the shrunk values, room for sums whose lanes are not added up yet.
        long sums = scratch[member].address(SUMS_BYTES + (long) rows * update.rows() * Lanes.FLOAT_BYTES);
        long shrunk = sums + SUMS_BYTES;
        shrink(x + (long) from * update.inputs() * Lanes.FLOAT_BYTES, rows, update, adapter.half(), sums, shrunk);
        for (Part part : update.parts()) {
            long stride = part.outputs() * Lanes.FLOAT_BYTES;
            expand(out[part.output()] + from * stride, stride, rows, part, update.rows(), adapter.half(), shrunk);
        }
    }

    /** {@code shrunk[t, r] = scale[r] * sum over k of x[t, k] * a[r, k]}. */
    private static void shrink(long x, int rows, Update update, boolean half, long sums, long shrunk) {
        int inputs = update.inputs();
        long xStride = inputs * Lanes.FLOAT_BYTES;
        long aStride = update.width() * (half ? Short.BYTES : Lanes.FLOAT_BYTES);
        long stride = update.rows() * Lanes.FLOAT_BYTES;
        boolean whole = inputs % Lanes.L == 0;
        for (int r = 0; r < update.rows(); r += VectorLowRank.ROWS) {
            long a = update.address() + r * aStride;
            long to = shrunk + r * Lanes.FLOAT_BYTES;
            float scale0 = update.scales()[r];
            float scale1 = update.scales()[r + 1];
            int t = 0;
            for (; whole && t + GRAIN <= rows; t += GRAIN) {
                shrinkFour(x + t * xStride, xStride, inputs, a, aStride, half, sums);
                for (int i = 0; i < GRAIN; i++) {
                    long pair = sums + i * 2 * Lanes.VECTOR_BYTES;
                    long at = to + (t + i) * stride;
                    store(Lanes.load(pair), Lanes.load(pair + Lanes.VECTOR_BYTES), scale0, scale1, at);
                }
            }
            for (; t < rows; t++) {
                if (whole) {
                    shrinkOne(x + t * xStride, inputs, a, aStride, half, scale0, scale1, to + t * stride);
                } else {
                    shrinkRagged(x + t * xStride, inputs, a, aStride, half, scale0, scale1, to + t * stride);
                }
            }
        }
    }

    /** Leaves the lanes of its sums apart: with them added up here, the compiler would find the method too large to keep vectors in registers. */
    private static void shrinkFour(long x, long xStride, int inputs, long a, long aStride, boolean half, long sums) {
        FloatVector first0 = FloatVector.zero(Lanes.F);
        FloatVector first1 = first0;
        FloatVector first2 = first0;
        FloatVector first3 = first0;
        FloatVector second0 = first0;
        FloatVector second1 = first0;
        FloatVector second2 = first0;
        FloatVector second3 = first0;
        for (int k = 0; k < inputs; k += Lanes.L) {
            FloatVector row0 = element(a, k, half);
            FloatVector row1 = element(a + aStride, k, half);
            long at = x + k * Lanes.FLOAT_BYTES;
            FloatVector x0 = Lanes.load(at);
            first0 = row0.fma(x0, first0);
            second0 = row1.fma(x0, second0);
            FloatVector x1 = Lanes.load(at + xStride);
            first1 = row0.fma(x1, first1);
            second1 = row1.fma(x1, second1);
            FloatVector x2 = Lanes.load(at + 2 * xStride);
            first2 = row0.fma(x2, first2);
            second2 = row1.fma(x2, second2);
            FloatVector x3 = Lanes.load(at + 3 * xStride);
            first3 = row0.fma(x3, first3);
            second3 = row1.fma(x3, second3);
        }
        Lanes.store(first0, sums);
        Lanes.store(second0, sums + Lanes.VECTOR_BYTES);
        Lanes.store(first1, sums + 2 * Lanes.VECTOR_BYTES);
        Lanes.store(second1, sums + 3 * Lanes.VECTOR_BYTES);
        Lanes.store(first2, sums + 4 * Lanes.VECTOR_BYTES);
        Lanes.store(second2, sums + 5 * Lanes.VECTOR_BYTES);
        Lanes.store(first3, sums + 6 * Lanes.VECTOR_BYTES);
        Lanes.store(second3, sums + 7 * Lanes.VECTOR_BYTES);
    }

    private static void shrinkOne(
            long x, int inputs, long a, long aStride, boolean half, float scale0, float scale1, long out) {
        FloatVector first = FloatVector.zero(Lanes.F);
        FloatVector second = first;
        for (int k = 0; k < inputs; k += Lanes.L) {
            FloatVector value = Lanes.load(x + k * Lanes.FLOAT_BYTES);
            first = element(a, k, half).fma(value, first);
            second = element(a + aStride, k, half).fma(value, second);
        }
        store(first, second, scale0, scale1, out);
    }

    /** Rows that are no whole number of vectors; those of A are padded with zeros. */
    private static void shrinkRagged(
            long x, int inputs, long a, long aStride, boolean half, float scale0, float scale1, long out) {
        FloatVector first = FloatVector.zero(Lanes.F);
        FloatVector second = first;
        for (int k = 0; k < inputs; k += Lanes.L) {
            FloatVector value = Lanes.load(x + k * Lanes.FLOAT_BYTES, inputs - k);
            first = element(a, k, half).fma(value, first);
            second = element(a + aStride, k, half).fma(value, second);
        }
        store(first, second, scale0, scale1, out);
    }

    private static void store(FloatVector first, FloatVector second, float scale0, float scale1, long out) {
        Lanes.setFloat(out, Lanes.sum(first) * scale0);
        Lanes.setFloat(out + Lanes.FLOAT_BYTES, Lanes.sum(second) * scale1);
    }

    /**
     * {@code out[t, n] += sum over r of shrunk[t, r] * b[n, r]}: four ranks at a time over all outputs, so that the shrunk values stay in registers.
     */
    private static void expand(
            long out, long outStride, int rows, Part part, int shrunkRows, boolean half, long shrunk) {
        long stride = shrunkRows * Lanes.FLOAT_BYTES;
        int rank = part.rank();
        int elementBytes = half ? Short.BYTES : Float.BYTES;
        int whole = part.outputs() / Lanes.L;
        int r = 0;
        for (; r + RANKS <= rank; r += RANKS) {
            long from = shrunk + (part.firstRow() + r) * Lanes.FLOAT_BYTES;
            long b = part.address() + (long) r * Lanes.L * elementBytes;
            int t = 0;
            for (; t + 2 <= rows; t += 2) {
                expandTwo(b, rank, whole, half, from + t * stride, stride, out + t * outStride, outStride);
            }
            for (; t < rows; t++) {
                expandOne(b, rank, whole, half, from + t * stride, out + t * outStride);
            }
        }
        for (; r < rank; r++) {
            long b = part.address() + (long) r * Lanes.L * elementBytes;
            for (int t = 0; t < rows; t++) {
                long value = shrunk + t * stride + (part.firstRow() + r) * Lanes.FLOAT_BYTES;
                expandRank(b, rank, whole, half, value, out + t * outStride);
            }
        }
        if (part.outputs() % Lanes.L != 0) {
            for (int t = 0; t < rows; t++) {
                long value = shrunk + t * stride + part.firstRow() * Lanes.FLOAT_BYTES;
                expandRest(part, whole, half, value, out + t * outStride);
            }
        }
    }

    private static void expandTwo(
            long b, int rank, int vectors, boolean half, long shrunk, long stride, long out, long outStride) {
        FloatVector h00 = broadcast(shrunk);
        FloatVector h01 = broadcast(shrunk + Lanes.FLOAT_BYTES);
        FloatVector h02 = broadcast(shrunk + 2 * Lanes.FLOAT_BYTES);
        FloatVector h03 = broadcast(shrunk + 3 * Lanes.FLOAT_BYTES);
        FloatVector h10 = broadcast(shrunk + stride);
        FloatVector h11 = broadcast(shrunk + stride + Lanes.FLOAT_BYTES);
        FloatVector h12 = broadcast(shrunk + stride + 2 * Lanes.FLOAT_BYTES);
        FloatVector h13 = broadcast(shrunk + stride + 3 * Lanes.FLOAT_BYTES);
        for (int n = 0; n < vectors; n++) {
            int at = n * rank * Lanes.L;
            long to = out + n * Lanes.VECTOR_BYTES;
            FloatVector row = element(b, at, half);
            FloatVector sum0 = row.fma(h00, Lanes.load(to));
            FloatVector sum1 = row.fma(h10, Lanes.load(to + outStride));
            row = element(b, at + Lanes.L, half);
            sum0 = row.fma(h01, sum0);
            sum1 = row.fma(h11, sum1);
            row = element(b, at + 2 * Lanes.L, half);
            sum0 = row.fma(h02, sum0);
            sum1 = row.fma(h12, sum1);
            row = element(b, at + 3 * Lanes.L, half);
            Lanes.store(row.fma(h03, sum0), to);
            Lanes.store(row.fma(h13, sum1), to + outStride);
        }
    }

    private static void expandOne(long b, int rank, int vectors, boolean half, long shrunk, long out) {
        FloatVector h0 = broadcast(shrunk);
        FloatVector h1 = broadcast(shrunk + Lanes.FLOAT_BYTES);
        FloatVector h2 = broadcast(shrunk + 2 * Lanes.FLOAT_BYTES);
        FloatVector h3 = broadcast(shrunk + 3 * Lanes.FLOAT_BYTES);
        for (int n = 0; n < vectors; n++) {
            int at = n * rank * Lanes.L;
            long to = out + n * Lanes.VECTOR_BYTES;
            FloatVector sum = element(b, at, half).fma(h0, Lanes.load(to));
            sum = element(b, at + Lanes.L, half).fma(h1, sum);
            sum = element(b, at + 2 * Lanes.L, half).fma(h2, sum);
            Lanes.store(element(b, at + 3 * Lanes.L, half).fma(h3, sum), to);
        }
    }

    /** One of the ranks that are no whole four. */
    private static void expandRank(long b, int rank, int vectors, boolean half, long shrunk, long out) {
        FloatVector value = broadcast(shrunk);
        for (int n = 0; n < vectors; n++) {
            long to = out + n * Lanes.VECTOR_BYTES;
            Lanes.store(element(b, n * rank * Lanes.L, half).fma(value, Lanes.load(to)), to);
        }
    }

    /** The outputs behind the last whole vector. */
    private static void expandRest(Part part, int vectors, boolean half, long shrunk, long out) {
        int rest = part.outputs() - vectors * Lanes.L;
        long to = out + vectors * Lanes.VECTOR_BYTES;
        FloatVector sum = Lanes.load(to, rest);
        for (int r = 0; r < part.rank(); r++) {
            FloatVector row = element(part.address(), (vectors * part.rank() + r) * Lanes.L, half);
            sum = row.fma(broadcast(shrunk + r * Lanes.FLOAT_BYTES), sum);
        }
        Lanes.store(sum, to, rest);
    }

    private static FloatVector broadcast(long address) {
        return FloatVector.broadcast(Lanes.F, Lanes.getFloat(address));
    }

    /** One kind is used in a process, so the processor never meets the choice. */
    private static FloatVector element(long address, int index, boolean half) {
        return half
                ? Lanes.loadBFloat16(address + (long) index * Short.BYTES)
                : Lanes.load(address + index * Lanes.FLOAT_BYTES);
    }
}
