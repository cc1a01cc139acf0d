package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.BatchLayout;
import dev.tsumugi.engine.kernels.BatchPlan;
import dev.tsumugi.engine.kernels.Draw;
import dev.tsumugi.engine.kernels.EmbeddingTable;
import dev.tsumugi.engine.kernels.Kernels;
import dev.tsumugi.engine.kernels.LowRankRuns;
import dev.tsumugi.engine.kernels.PagedCache;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.kernels.RopeLayout;
import dev.tsumugi.engine.kernels.Sizes;
import dev.tsumugi.engine.kernels.Weight;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Objects;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The operations of a forward pass on a GPU. Everything few rows need is fp32 with a fixed order of sums; under {@link Precision#FAST} products of
 * more than {@link #FEW_ROWS} rows and attention of runs of {@link #LONG_RUN} tokens are computed in bfloat16 by the tensor cores.
 */
final class CudaKernels implements Kernels, AutoCloseable {
    /** Rows that one pass over the weights serves. */
    static final int FEW_ROWS = 8;
    /** Tokens of a sequence from which on the tensor cores compute its attention. */
    static final int LONG_RUN = 16;

    /** As in linear.cuh. */
    private static final int OUTPUTS_A_BLOCK = 8;

    private static final int TURNED_OUTPUTS_A_BLOCK = 256;
    private static final int TILE = 128;
    /** As in attention.cuh. */
    private static final int TILE_TOKENS = 64;

    private static final int CHUNK = 256;
    private static final int MOST_HEAD_SIZE = 256;
    private static final int[] TILE_HEAD_SIZES = {16, 32, 64, 80, 112, 128};
    /** Room for sums of chunks; more tokens than fit are computed in several launches. */
    private static final long MOST_CHUNK_FLOATS = 16 << 20;

    /** Room for the weights of rows that are drawn from; more rows are drawn one group behind another. */
    private static final long MOST_WEIGHT_BYTES = 64 << 20;

    private static final int MOST_DRAWS = 1024;
    /** Of a {@code Draw} in sampling.cuh. */
    private static final long DRAW_BYTES = 40;

    private static final int THREADS = 256;
    private static final int SMALL_BLOCK = 128;
    private static final int WARP = 32;
    private static final int MOST_THREADS = 1024;
    /** Blocks a processor that walk over large arrays. */
    private static final int WAVES = 16;

    private final Device device;
    private final Commands commands;
    private final Precision precision;
    private final Staging staging;
    private final Scratch chunkSums;
    private final Scratch maximums;
    private final Scratch drawWeights;
    private final Staging drawTable;
    private final LowRankLauncher lowRank;
    private boolean sent;

    CudaKernels(Device device, Commands commands, AdapterTier adapters, Precision precision) {
        this.device = device;
        this.commands = commands;
        this.precision = precision;
        staging = new Staging(device, commands::flush);
        chunkSums = new Scratch(device, commands);
        maximums = new Scratch(device, commands);
        drawWeights = new Scratch(device, commands);
        drawTable = new Staging(device, commands::flush);
        lowRank = new LowRankLauncher(device, commands, adapters);
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
        BatchLayout layout = new BatchLayout(
                tokens, positions, sequences, blockTables, outputs, blockTokens, inverseFrequencies.length);
        settle();
        int[] runs = layout.runStarts();
        int used = 1;
        int last = 0;
        for (int run = 0; run + 1 < runs.length; run++) {
            last = Math.max(last, positions[runs[run + 1] - 1]);
            used = Math.max(used, positions[runs[run + 1] - 1] / blockTokens + 1);
        }
        // Powers of two, so that a sequence that grows by a block changes no parameter of a launch.
        int pitch = powerOfTwo(used);
        long integers =
                6L * tokens.length + outputs.length + (long) pitch * blockTables.length + inverseFrequencies.length;
        staging.begin(integers * Integer.BYTES, 8);
        long tokenIds = put(tokens);
        long positionsAt = put(positions);
        long sequencesAt = put(sequences);
        long outputRows = put(outputs);
        long frequencies = staging.part();
        staging.put(inverseFrequencies);
        long tables = staging.part();
        for (int[] table : blockTables) {
            int length = Math.min(table.length, pitch);
            for (int i = 0; i < length; i++) {
                staging.put(table[i]);
            }
            staging.skip(pitch - length);
        }
        long rows = staging.part();
        int shortRows = putRows(runs, false);
        putRows(runs, true);
        long tiles = staging.part();
        int tileCount = putTiles(runs);
        staging.send();
        sent = true;
        return new CudaPlan(
                layout,
                tokenIds,
                positionsAt,
                sequencesAt,
                rows,
                shortRows,
                tiles,
                tileCount,
                outputRows,
                tables,
                pitch,
                frequencies,
                inverseFrequencies.length,
                powerOfTwo(last / CHUNK + 1),
                commands);
    }

    private static int powerOfTwo(int atLeast) {
        return atLeast == 1 ? 1 : Integer.highestOneBit(atLeast - 1) * 2;
    }

    private long put(int[] values) {
        long address = staging.part();
        staging.put(values);
        return address;
    }

    private int putRows(int[] runs, boolean ofLongRuns) {
        int count = 0;
        for (int run = 0; run + 1 < runs.length; run++) {
            if (runs[run + 1] - runs[run] >= LONG_RUN == ofLongRuns) {
                for (int t = runs[run]; t < runs[run + 1]; t++, count++) {
                    staging.put(t);
                }
            }
        }
        return count;
    }

    private int putTiles(int[] runs) {
        int count = 0;
        for (int run = 0; run + 1 < runs.length; run++) {
            if (runs[run + 1] - runs[run] >= LONG_RUN) {
                for (int t = runs[run]; t < runs[run + 1]; t += TILE_TOKENS, count++) {
                    staging.put(t);
                    staging.put(Math.min(TILE_TOKENS, runs[run + 1] - t));
                }
            }
        }
        return count;
    }

    /** Makes what was asked for, and waits until the device has read the tables of earlier passes. */
    private void settle() {
        commands.flush();
        device.enter();
        if (sent) {
            device.synchronize();
            sent = false;
        }
        lowRank.reset();
    }

    /** As {@link dev.tsumugi.engine.kernels.Backend#download}. */
    void download(Tensor tensor, float[] values, int count) {
        Sizes.require("tensor", tensor, count);
        if (values.length < count) {
            throw new IllegalArgumentException(values.length + " floats cannot take " + count);
        }
        commands.flush();
        device.download(DeviceMemory.address(tensor), values, count);
        sent = false;
    }

    /** Launches with a thread for each of {@code count} elements, or a few for each thread where there are many. */
    Commands overElements(String kernel, long count) {
        long blocks = Math.min(Math.ceilDiv(count, THREADS), (long) WAVES * device.processors());
        return commands.launch(kernel, Math.max(1, blocks), 1, 1, THREADS);
    }

    @Override
    public void embed(Tensor out, BatchPlan plan, EmbeddingTable table) {
        if (!(table instanceof DeviceMatrix matrix)) {
            throw new IllegalArgumentException("the embedding table is of another backend");
        }
        CudaPlan p = CudaPlan.of(plan);
        Sizes.require("out", out, (long) p.tokens() * matrix.width());
        for (int token : p.layout().tokenIds()) {
            Sizes.requireToken(token, matrix);
        }
        if (p.tokens() == 0) {
            return;
        }
        Commands launch = commands.launch("embed_" + matrix.kernelSuffix(), p.tokens(), 1, 1, SMALL_BLOCK)
                .add(DeviceMemory.address(out))
                .add(p.tokenIds());
        matrix.addTo(launch).add(matrix.width()).end();
    }

    /** Threads of a block that walks over a row. */
    static int rowThreads(int width) {
        return Math.clamp(width + WARP - 1 & -WARP, WARP, MOST_THREADS);
    }

    @Override
    public void rmsNorm(Tensor out, Tensor x, int rows, int width, Tensor weight, float epsilon) {
        Sizes.requireNorm(out, x, rows, width, weight);
        if (rows == 0) {
            return;
        }
        rmsNorm(out, x, rows, width, 0, 1, width, weight, epsilon);
    }

    /** Of some heads of each row. */
    void rmsNorm(
            Tensor out,
            Tensor x,
            int rows,
            int stride,
            int firstHead,
            int heads,
            int width,
            Tensor weight,
            float epsilon) {
        commands.launch("rms_norm", rows, heads, 1, rowThreads(width))
                .add(DeviceMemory.address(out))
                .add(DeviceMemory.address(x))
                .add(stride)
                .add(firstHead * width)
                .add(width)
                .add(DeviceMemory.address(weight))
                .add(epsilon)
                .end();
    }

    @Override
    public void layerNorm(Tensor out, Tensor x, int rows, int width, Tensor weight, Tensor bias, float epsilon) {
        Sizes.requireNorm(out, x, rows, width, weight);
        Sizes.require("bias", bias, width);
        if (rows == 0) {
            return;
        }
        commands.launch("layer_norm", rows, 1, 1, rowThreads(width))
                .add(DeviceMemory.address(out))
                .add(DeviceMemory.address(x))
                .add(width)
                .add(DeviceMemory.address(weight))
                .add(DeviceMemory.address(bias))
                .add(epsilon)
                .end();
    }

    @Override
    public void linear(Tensor out, Tensor x, int rows, Weight weight, @Nullable Tensor bias) {
        Sizes.requireLinear(out, x, rows, weight, bias);
        if (rows == 0) {
            return;
        }
        boolean tiles = precision == Precision.FAST && rows > FEW_ROWS;
        if (weight instanceof TurnedMatrix turned) {
            turnedLinear(out, x, rows, turned.matrix(), bias, tiles);
            return;
        }
        DeviceMatrix matrix = own(weight);
        Commands launch;
        if (tiles) {
            launch = tiles("linear_tiles_", matrix, weight, rows);
        } else {
            int together = rows == 1 ? 1 : rows <= 4 ? 4 : FEW_ROWS;
            launch = commands.launch(
                    "linear_rows_" + matrix.kernelSuffix() + "_" + together,
                    Math.ceilDiv(matrix.outputs(), OUTPUTS_A_BLOCK),
                    Math.ceilDiv(rows, together),
                    1,
                    SMALL_BLOCK);
        }
        launch.add(DeviceMemory.address(out)).add(DeviceMemory.address(x));
        matrix.addTo(launch)
                .add(bias == null ? 0L : DeviceMemory.address(bias))
                .add(rows)
                .add(matrix.outputs())
                .add(matrix.inputs())
                .end();
    }

    private Commands tiles(String kernel, DeviceMatrix matrix, Weight weight, int rows) {
        int across = Math.ceilDiv(weight.outputs(), TILE);
        return commands.launch(kernel + matrix.kernelSuffix(), across, Math.ceilDiv(rows, TILE), 1, THREADS);
    }

    private void turnedLinear(
            Tensor out, Tensor x, int rows, DeviceMatrix matrix, @Nullable Tensor bias, boolean tiles) {
        if (bias != null) {
            throw new IllegalArgumentException("a gradient has no bias");
        }
        Commands launch = tiles
                ? tiles("linear_turned_tiles_", matrix, new TurnedMatrix(matrix), rows)
                : commands.launch(
                        "linear_turned_rows_" + matrix.kernelSuffix(),
                        Math.ceilDiv(matrix.inputs(), TURNED_OUTPUTS_A_BLOCK),
                        Math.ceilDiv(rows, FEW_ROWS),
                        1,
                        SMALL_BLOCK);
        launch.add(DeviceMemory.address(out)).add(DeviceMemory.address(x));
        matrix.addTo(launch)
                .add(rows)
                .add(matrix.outputs())
                .add(matrix.inputs())
                .end();
    }

    static DeviceMatrix own(Weight weight) {
        if (weight instanceof DeviceMatrix matrix) {
            return matrix;
        }
        throw new IllegalArgumentException("the weight is of another backend");
    }

    @Override
    public void addLowRank(Tensor[] outs, Tensor x, LowRankRuns runs, int number) {
        device.enter();
        lowRank.add(outs, x, runs, number);
        sent = true;
    }

    @Override
    public void rope(Tensor x, BatchPlan plan, int heads, int headSize, RopeLayout layout) {
        CudaPlan p = CudaPlan.of(plan);
        Sizes.requireRope(x, p.layout(), heads, headSize);
        long count = (long) p.tokens() * heads * p.pairs();
        if (count == 0) {
            return;
        }
        overElements("rope", count)
                .add(DeviceMemory.address(x))
                .add(p.positions())
                .add(p.frequencies())
                .add(p.tokens())
                .add(heads)
                .add(headSize)
                .add(p.pairs())
                .add(layout == RopeLayout.HALVES ? 1 : 0)
                .end();
    }

    @Override
    public void storeKeysValues(PagedCache cache, int layer, BatchPlan plan, Tensor keys, Tensor values) {
        CudaCache c = CudaCache.of(cache);
        CudaPlan p = CudaPlan.of(plan);
        Sizes.requireStore(cache, layer, p.layout(), keys, values);
        if (p.tokens() == 0) {
            return;
        }
        overElements("store_keys_values_" + c.kernelSuffix(), (long) p.tokens() * c.keyValueHeads() * c.headSize())
                .add(c.keys(layer))
                .add(c.values(layer))
                .add(DeviceMemory.address(keys))
                .add(DeviceMemory.address(values))
                .add(p.positions())
                .add(p.sequences())
                .add(p.tables())
                .add(p.tablePitch())
                .add(p.tokens())
                .add(c.keyValueHeads())
                .add(c.headSize())
                .add(CudaCache.padded(c.headSize()))
                .add(c.blockTokens())
                .end();
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
        CudaCache c = CudaCache.of(cache);
        CudaPlan p = CudaPlan.of(plan);
        Sizes.requireAttention(out, queries, cache, layer, p.layout(), heads, window);
        int tileSize = precision == Precision.FAST ? tileHeadSize(c.headSize()) : 0;
        int rows = tileSize == 0 ? p.tokens() : p.shortRows();
        if (rows > 0) {
            attentionRows(out, queries, c, layer, p, rows, heads, window, scale);
        }
        if (tileSize > 0 && p.tileCount() > 0) {
            commands.launch(
                            "attention_tiles_" + c.kernelSuffix() + "_" + tileSize,
                            p.tileCount(),
                            heads,
                            1,
                            SMALL_BLOCK)
                    .add(DeviceMemory.address(out))
                    .add(DeviceMemory.address(queries))
                    .add(c.keys(layer))
                    .add(c.values(layer))
                    .add(p.tiles());
            addCache(p, c, heads).add(window).add(scale).end();
        }
    }

    /** The smallest that holds these heads; 0 when none does. */
    private static int tileHeadSize(int headSize) {
        for (int size : TILE_HEAD_SIZES) {
            if (headSize <= size) {
                return size;
            }
        }
        return 0;
    }

    private Commands addCache(CudaPlan p, CudaCache c, int heads) {
        return commands.add(p.positions())
                .add(p.sequences())
                .add(p.tables())
                .add(p.tablePitch())
                .add(heads)
                .add(c.keyValueHeads())
                .add(c.headSize())
                .add(CudaCache.padded(c.headSize()))
                .add(c.blockTokens());
    }

    private void attentionRows(
            Tensor out,
            Tensor queries,
            CudaCache c,
            int layer,
            CudaPlan p,
            int rows,
            int heads,
            int window,
            float scale) {
        int chunks = p.chunks();
        long floatsOfRow = chunks == 1 ? 0 : (long) heads * chunks * (c.headSize() + 2);
        int step = chunks == 1 ? rows : (int) Math.clamp(MOST_CHUNK_FLOATS / floatsOfRow, 1, rows);
        long sums = chunks == 1 ? 0 : chunkSums.floats(floatsOfRow * step);
        long stats = sums + (long) step * heads * chunks * c.headSize() * Float.BYTES;
        for (int from = 0; from < rows; from += step) {
            int count = Math.min(step, rows - from);
            long rowsAt = p.rows() + (long) from * Integer.BYTES;
            commands.launch("attention_rows_" + c.kernelSuffix(), count, c.keyValueHeads(), chunks, SMALL_BLOCK)
                    .add(DeviceMemory.address(out))
                    .add(sums)
                    .add(stats)
                    .add(DeviceMemory.address(queries))
                    .add(c.keys(layer))
                    .add(c.values(layer))
                    .add(rowsAt);
            addCache(p, c, heads).add(window).add(scale).end();
            if (chunks > 1) {
                commands.launch("attention_join", count, heads, 1, SMALL_BLOCK)
                        .add(DeviceMemory.address(out))
                        .add(sums)
                        .add(stats)
                        .add(rowsAt)
                        .add(p.positions())
                        .add(chunks)
                        .add(c.headSize())
                        .add(window)
                        .end();
            }
        }
    }

    static void requireHeadSize(int headSize) {
        if (headSize > MOST_HEAD_SIZE) {
            throw new IllegalArgumentException(
                    "heads of " + headSize + " elements are not supported on the GPU; the most are " + MOST_HEAD_SIZE);
        }
    }

    @Override
    public void swiGlu(Tensor out, Tensor gate, Tensor up, int count) {
        Sizes.require("out", out, count);
        Sizes.require("gate", gate, count);
        Sizes.require("up", up, count);
        overElements("swiglu", count)
                .add(DeviceMemory.address(out))
                .add(DeviceMemory.address(gate))
                .add(DeviceMemory.address(up))
                .add(count)
                .end();
    }

    @Override
    public void geluErf(Tensor x, int count) {
        Sizes.require("x", x, count);
        gelu("gelu_erf", x, x, count);
    }

    @Override
    public void geluTanh(Tensor x, int count) {
        Sizes.require("x", x, count);
        gelu("gelu_tanh", x, x, count);
    }

    void gelu(String kernel, Tensor out, Tensor x, int count) {
        overElements(kernel, count)
                .add(DeviceMemory.address(out))
                .add(DeviceMemory.address(x))
                .add(count)
                .end();
    }

    @Override
    public void add(Tensor x, Tensor y, int count) {
        Sizes.require("x", x, count);
        Sizes.require("y", y, count);
        overElements("add", count)
                .add(DeviceMemory.address(x))
                .add(DeviceMemory.address(y))
                .add(count)
                .end();
    }

    @Override
    public void gatherOutputs(Tensor out, Tensor x, BatchPlan plan, int width) {
        CudaPlan p = CudaPlan.of(plan);
        Sizes.requireGather(out, x, p.layout(), width);
        if (p.outputs() == 0) {
            return;
        }
        commands.launch("gather_rows", p.outputs(), 1, 1, THREADS)
                .add(DeviceMemory.address(out))
                .add(DeviceMemory.address(x))
                .add(p.outputRows())
                .add(width)
                .end();
    }

    @Override
    public void largest(int[] places, float[] leads, Tensor x, int rows, int width) {
        Sizes.requireLargest(places, leads, x, rows, width);
        if (rows == 0) {
            return;
        }
        long found = maximums.floats(2L * rows);
        commands.launch("row_maximum", rows, 1, 1, THREADS)
                .add(found)
                .add(DeviceMemory.address(x))
                .add(width)
                .end();
        float[] pairs = new float[2 * rows];
        commands.flush();
        device.download(found, pairs, pairs.length);
        sent = false;
        for (int r = 0; r < rows; r++) {
            // Exact in fp32: no vocabulary has 2^24 tokens.
            places[r] = (int) pairs[2 * r];
            leads[r] = pairs[2 * r + 1];
        }
    }

    @Override
    public boolean draws() {
        return true;
    }

    @Override
    public void draw(int[] places, @Nullable Draw[] draws, Tensor x, int rows, int width) {
        Sizes.require("x", x, (long) rows * width);
        int[] drawn = IntStream.range(0, rows).filter(r -> draws[r] != null).toArray();
        int together = (int) Math.clamp(MOST_WEIGHT_BYTES / ((long) width * Double.BYTES), 1, MOST_DRAWS);
        for (int from = 0; from < drawn.length; from += together) {
            draw(places, draws, x, Arrays.copyOfRange(drawn, from, Math.min(drawn.length, from + together)), width);
        }
    }

    /** @param rows with a draw, so many that their weights have room */
    private void draw(int[] places, @Nullable Draw[] draws, Tensor x, int[] rows, int width) {
        commands.flush();
        device.enter();
        drawTable.begin(rows.length * (DRAW_BYTES + Integer.BYTES), 2);
        long table = drawTable.part();
        for (int row : rows) {
            Draw draw = Objects.requireNonNull(draws[row]);
            drawTable.put(Double.doubleToRawLongBits(draw.temperature()));
            drawTable.put(Double.doubleToRawLongBits(draw.topP()));
            drawTable.put(Double.doubleToRawLongBits(draw.minP()));
            drawTable.put(Double.doubleToRawLongBits(draw.uniform()));
            drawTable.put((long) draw.topK());
        }
        long rowTable = drawTable.part();
        drawTable.put(rows);
        drawTable.send();
        long weights = drawWeights.floats(2L * rows.length * width);
        long tokens = maximums.floats(rows.length);
        commands.launch("row_draw", rows.length, 1, 1, MOST_THREADS)
                .add(tokens)
                .add(weights)
                .add(DeviceMemory.address(x))
                .add(table)
                .add(rowTable)
                .add(width)
                .end();
        int[] chosen = new int[rows.length];
        commands.flush();
        // Waits for the stream, so the table may be written again.
        device.download(tokens, MemorySegment.ofArray(chosen));
        sent = false;
        for (int i = 0; i < rows.length; i++) {
            places[rows[i]] = chosen[i];
        }
    }

    @Override
    public int alikeRows() {
        return precision == Precision.FAST ? FEW_ROWS : Integer.MAX_VALUE;
    }

    @Override
    public void close() {
        lowRank.close();
        chunkSums.close();
        maximums.close();
        drawWeights.close();
        drawTable.close();
        staging.close();
    }
}
