package dev.tsumugi.engine.kernels;

import static java.lang.invoke.MethodHandles.lookup;

import dev.tsumugi.engine.quant.Dequantization;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import jdk.incubator.vector.FloatVector;
import org.jspecify.annotations.Nullable;

/**
 * The operations by the Vector API, shared out over a team of threads. Under {@link Precision#EXACT} a token's result has the same bits
 * whatever batch it is in, so batched, chunked and single runs choose the same next tokens.
 */
final class VectorKernels implements Kernels, AutoCloseable {
    /** Elements of an elementwise operation that are worth a task of their own. */
    private static final int SPAN = 16384;
    /** Rows of which an operation by rows makes one task. */
    private static final int ROWS = 16;

    private final MethodHandle swiGluPart =
            Separate.method(lookup(), "swiGluPart", long.class, long.class, long.class, int.class);
    private final ThreadTeam team;
    private final VectorAttention attention;
    private final Precision precision;
    private final VectorLinear linear;
    private final Scratch[] scratch;
    private final LowRankProduct lowRank;
    private final RowMaximum maximum = new RowMaximum();

    VectorKernels(ThreadTeam team, Precision precision) {
        this.team = team;
        this.precision = precision;
        attention = new VectorAttention(team);
        scratch = new Scratch[team.size()];
        for (int i = 0; i < scratch.length; i++) {
            scratch[i] = new Scratch();
        }
        linear = new VectorLinear(team, precision, scratch);
        lowRank = new LowRankProduct(team, scratch);
    }

    void handLongRunsTo(LongRunAttention longRuns) {
        attention.handLongRunsTo(longRuns);
    }

    Precision precision() {
        return precision;
    }

    @Override
    public void close() {
        attention.close();
        for (Scratch memory : scratch) {
            memory.close();
        }
    }

    @Override
    public int alikeRows() {
        return precision == Precision.FAST ? Activations.WIDENED_ROWS - 1 : Integer.MAX_VALUE;
    }

    @Override
    public BatchPlan plan(
            int[] tokens,
            int[] positions,
            int[] sequences,
            int[][] blockTables,
            int[] outputs,
            int blockTokens,
            float[] inverseFrequencies) {
        return new HostBatchPlan(tokens, positions, sequences, blockTables, outputs, blockTokens, inverseFrequencies);
    }

    @Override
    public void embed(Tensor out, BatchPlan plan, EmbeddingTable table) {
        int width = table.width();
        int[] tokens = HostBatchPlan.of(plan).tokens;
        Sizes.require("out", out, (long) tokens.length * width);
        for (int token : tokens) {
            Sizes.requireToken(token, table);
        }
        Tensor matrix = HostTable.of(table);
        MemorySegment to = out.segment();
        byRows(tokens.length, (from, end) -> {
            float[] row = new float[width];
            for (int t = from; t < end; t++) {
                Dequantization.row(matrix, tokens[t], row, 0);
                MemorySegment.copy(MemorySegment.ofArray(row), 0, to, (long) t * width * Float.BYTES, width * 4L);
            }
        });
    }

    @Override
    public void rmsNorm(Tensor out, Tensor x, int rows, int width, Tensor weight, float epsilon) {
        Sizes.requireNorm(out, x, rows, width, weight);
        long o = address(out);
        long in = address(x);
        long w = address(weight);
        byRows(rows, (from, end) -> {
            for (int r = from; r < end; r++) {
                long offset = (long) r * width * Lanes.FLOAT_BYTES;
                rmsNormRow(o + offset, in + offset, width, w, epsilon);
            }
        });
    }

    static void rmsNormRow(long out, long x, int width, long weight, float epsilon) {
        FloatVector squares = FloatVector.zero(Lanes.F);
        int whole = Lanes.F.loopBound(width);
        for (int c = 0; c < whole; c += Lanes.L) {
            FloatVector value = Lanes.load(x + c * Lanes.FLOAT_BYTES);
            squares = value.fma(value, squares);
        }
        if (whole < width) {
            FloatVector value = Lanes.load(x + whole * Lanes.FLOAT_BYTES, width - whole);
            squares = value.fma(value, squares);
        }
        float scale = (float) (1 / Math.sqrt(Lanes.sum(squares) / (double) width + epsilon));
        for (int c = 0; c < whole; c += Lanes.L) {
            long at = c * Lanes.FLOAT_BYTES;
            Lanes.store(Lanes.load(x + at).mul(scale).mul(Lanes.load(weight + at)), out + at);
        }
        if (whole < width) {
            long at = whole * Lanes.FLOAT_BYTES;
            FloatVector value = Lanes.load(x + at, width - whole).mul(scale);
            Lanes.store(value.mul(Lanes.load(weight + at, width - whole)), out + at, width - whole);
        }
    }

    @Override
    public void layerNorm(Tensor out, Tensor x, int rows, int width, Tensor weight, Tensor bias, float epsilon) {
        Sizes.requireNorm(out, x, rows, width, weight);
        Sizes.require("bias", bias, width);
        long o = address(out);
        long in = address(x);
        long w = address(weight);
        long b = address(bias);
        byRows(rows, (from, end) -> {
            for (int r = from; r < end; r++) {
                long offset = (long) r * width * Lanes.FLOAT_BYTES;
                layerNormRow(o + offset, in + offset, width, w, b, epsilon);
            }
        });
    }

    private static void layerNormRow(long out, long x, int width, long weight, long bias, float epsilon) {
        FloatVector sum = FloatVector.zero(Lanes.F);
        for (int c = 0; c < width; c += Lanes.L) {
            sum = sum.add(Lanes.load(x + c * Lanes.FLOAT_BYTES, width - c));
        }
        float mean = Lanes.sum(sum) / width;
        FloatVector squares = FloatVector.zero(Lanes.F);
        for (int c = 0; c < width; c += Lanes.L) {
            FloatVector difference =
                    Lanes.load(x + c * Lanes.FLOAT_BYTES, width - c).sub(mean);
            if (width - c < Lanes.L) {
                // Lanes behind the row are not differences from the mean.
                difference = FloatVector.zero(Lanes.F).blend(difference, Lanes.F.indexInRange(0, width - c));
            }
            squares = difference.fma(difference, squares);
        }
        float scale = (float) (1 / Math.sqrt(Lanes.sum(squares) / (double) width + epsilon));
        for (int c = 0; c < width; c += Lanes.L) {
            long at = c * Lanes.FLOAT_BYTES;
            FloatVector value = Lanes.load(x + at, width - c).sub(mean).mul(scale);
            FloatVector shifted = value.fma(Lanes.load(weight + at, width - c), Lanes.load(bias + at, width - c));
            Lanes.store(shifted, out + at, width - c);
        }
    }

    @Override
    public void linear(Tensor out, Tensor x, int rows, Weight weight, @Nullable Tensor bias) {
        linear.multiply(x, rows, new LinearLayer(out, weight, bias));
    }

    @Override
    public void linears(Tensor x, int rows, LinearLayer... layers) {
        linear.multiply(x, rows, layers);
    }

    @Override
    public void addLowRank(Tensor[] outs, Tensor x, LowRankRuns runs, int number) {
        lowRank.add(outs, x, runs, number);
    }

    @Override
    public void rope(Tensor x, BatchPlan plan, int heads, int headSize, RopeLayout layout) {
        HostBatchPlan p = HostBatchPlan.of(plan);
        Sizes.requireRope(x, p, heads, headSize);
        long v = address(x);
        int pairs = p.rotaryPairs;
        boolean halves = layout == RopeLayout.HALVES;
        long step = (halves ? 1 : 2) * Lanes.FLOAT_BYTES;
        long apart = (halves ? pairs : 1) * Lanes.FLOAT_BYTES;
        byRows(p.tokens(), (from, end) -> {
            for (int t = from; t < end; t++) {
                for (int h = 0; h < heads; h++) {
                    long head = v + ((long) t * heads + h) * headSize * Lanes.FLOAT_BYTES;
                    rotate(head, step, apart, p.cosines, p.sines, t * pairs, pairs);
                }
            }
        });
    }

    private static void rotate(
            long head, long step, long apart, float[] cosines, float[] sines, int angles, int pairs) {
        for (int i = 0; i < pairs; i++) {
            long first = head + i * step;
            float a = Lanes.getFloat(first);
            float b = Lanes.getFloat(first + apart);
            float cos = cosines[angles + i];
            float sin = sines[angles + i];
            Lanes.setFloat(first, a * cos - b * sin);
            Lanes.setFloat(first + apart, b * cos + a * sin);
        }
    }

    @Override
    public void storeKeysValues(PagedCache cache, int layer, BatchPlan plan, Tensor keys, Tensor values) {
        VectorCache c = VectorCache.of(cache);
        HostBatchPlan p = HostBatchPlan.of(plan);
        Sizes.requireStore(cache, layer, p, keys, values);
        long k = address(keys);
        long v = address(values);
        byRows(p.tokens(), (from, end) -> {
            for (int t = from; t < end; t++) {
                int block = p.block(p.sequences[t], p.positions[t]);
                int slot = p.slot(p.positions[t]);
                for (int g = 0; g < c.keyValueHeads(); g++) {
                    long head = ((long) t * c.keyValueHeads() + g) * c.headSize() * Lanes.FLOAT_BYTES;
                    c.store(layer, block, slot, g, k + head, v + head);
                }
            }
        });
    }

    @Override
    public void attention(
            Tensor out,
            Tensor queries,
            PagedCache cache,
            int layer,
            BatchPlan plan,
            int heads,
            int window,
            float scale) {
        HostBatchPlan p = HostBatchPlan.of(plan);
        Sizes.requireAttention(out, queries, cache, layer, p, heads, window);
        attention.run(address(out), address(queries), VectorCache.of(cache), layer, p, heads, window, scale);
    }

    @Override
    public void swiGlu(Tensor out, Tensor gate, Tensor up, int count) {
        Sizes.require("out", out, count);
        Sizes.require("gate", gate, count);
        Sizes.require("up", up, count);
        long o = address(out);
        long g = address(gate);
        long u = address(up);
        int whole = Lanes.F.loopBound(count);
        bySpans(whole, (from, end) -> {
            for (int i = from; i < end; i += Lanes.L) {
                long at = i * Lanes.FLOAT_BYTES;
                Lanes.store(VectorMath.silu(Lanes.load(g + at)).mul(Lanes.load(u + at)), o + at);
            }
        });
        if (whole < count) {
            try {
                long at = whole * Lanes.FLOAT_BYTES;
                swiGluPart.invokeExact(o + at, g + at, u + at, count - whole);
            } catch (Throwable e) {
                throw Separate.rethrown(e);
            }
        }
    }

    /** Less than a vector. */
    private static void swiGluPart(long out, long gate, long up, int count) {
        Lanes.store(VectorMath.silu(Lanes.load(gate, count)).mul(Lanes.load(up, count)), out, count);
    }

    @Override
    public void geluErf(Tensor x, int count) {
        Sizes.require("x", x, count);
        long v = address(x);
        bySpans(count, (from, end) -> {
            for (int i = from; i < end; i += Lanes.L) {
                long at = v + i * Lanes.FLOAT_BYTES;
                Lanes.store(VectorMath.geluErf(Lanes.load(at, end - i)), at, end - i);
            }
        });
    }

    @Override
    public void geluTanh(Tensor x, int count) {
        Sizes.require("x", x, count);
        long v = address(x);
        bySpans(count, (from, end) -> {
            for (int i = from; i < end; i += Lanes.L) {
                long at = v + i * Lanes.FLOAT_BYTES;
                Lanes.store(VectorMath.geluTanh(Lanes.load(at, end - i)), at, end - i);
            }
        });
    }

    @Override
    public void add(Tensor x, Tensor y, int count) {
        Sizes.require("x", x, count);
        Sizes.require("y", y, count);
        long v = address(x);
        long w = address(y);
        bySpans(count, (from, end) -> {
            int i = from;
            for (; i + Lanes.L <= end; i += Lanes.L) {
                long at = i * Lanes.FLOAT_BYTES;
                Lanes.store(Lanes.load(v + at).add(Lanes.load(w + at)), v + at);
            }
            if (i < end) {
                long at = i * Lanes.FLOAT_BYTES;
                Lanes.store(Lanes.load(v + at, end - i).add(Lanes.load(w + at, end - i)), v + at, end - i);
            }
        });
    }

    @Override
    public void gatherOutputs(Tensor out, Tensor x, BatchPlan plan, int width) {
        HostBatchPlan p = HostBatchPlan.of(plan);
        Sizes.requireGather(out, x, p, width);
        long bytes = width * Lanes.FLOAT_BYTES;
        for (int r = 0; r < p.outputs(); r++) {
            Lanes.copy(address(x) + p.outputs[r] * bytes, address(out) + r * bytes, bytes);
        }
    }

    @Override
    public void largest(int[] places, float[] leads, Tensor x, int rows, int width) {
        Sizes.requireLargest(places, leads, x, rows, width);
        long in = address(x);
        team.run(
                rows,
                (row, member) ->
                        maximum.find(places, leads, row, in + row * width * Lanes.FLOAT_BYTES, width, scratch[member]));
    }

    static long address(Tensor tensor) {
        MemorySegment segment = tensor.memory().segment();
        if (!segment.isNative() || !segment.scope().isAlive()) {
            throw new IllegalArgumentException("the tensor is not in open memory of this backend");
        }
        return segment.address() + tensor.offset();
    }

    private interface Range {
        void run(int from, int end);
    }

    private void byRows(int rows, Range range) {
        byParts(rows, ROWS, range);
    }

    private void bySpans(int count, Range range) {
        byParts(count, SPAN, range);
    }

    private void byParts(int items, int part, Range range) {
        if (items <= part) {
            range.run(0, items);
            return;
        }
        team.run(
                (items + part - 1) / part,
                (task, member) -> range.run(task * part, Math.min(items, (task + 1) * part)));
    }
}
