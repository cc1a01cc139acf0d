package dev.tsumugi.bench.kernels;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Backends;
import dev.tsumugi.engine.kernels.BatchPlan;
import dev.tsumugi.engine.kernels.Kernels;
import dev.tsumugi.engine.kernels.PagedCache;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.kernels.ReferenceBackend;
import dev.tsumugi.engine.kernels.VectorBackend;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Tensor;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** Attention of one layer after another over a paged cache whose blocks lie in no order. */
@State(Scope.Benchmark)
public class AttentionKernel {
    /** Of SmolLM2-135M. */
    public static final int HEADS = 9;

    public static final int KEY_VALUE_HEADS = 3;
    public static final int HEAD_SIZE = 64;

    /** As a model keeps keys and values by default. */
    public static final DType CACHE = DType.BF16;

    private static final int BLOCK_TOKENS = 16;
    private static final float SCALE = 0.125f;
    private static final double TOLERANCE = 1e-5;

    @Param("2")
    int threads;

    @Param("1")
    int sequences;

    /** Tokens of each sequence that are computed; the last ones. */
    @Param("1")
    int queries;

    /** Tokens of each sequence. */
    @Param("256")
    int length;

    @Param("1")
    int layers;

    private Backend backend;
    private Kernels kernels;
    private PagedCache cache;
    private BatchPlan plan;
    private Tensor query;
    private Tensor out;
    private int next;

    /** Fills the cache, and checks what comes out of each layer. */
    @Setup
    public void prepare() {
        RandomNumbers random = new RandomNumbers();
        float[] keys = random.floats(sequences * length * KEY_VALUE_HEADS * HEAD_SIZE);
        float[] values = random.floats(keys.length);
        float[] asked = random.floats(sequences * queries * HEADS * HEAD_SIZE);
        float[] expected = reference(keys, values, asked);
        backend = Backends.open(VectorBackend.NAME, threads, Precision.FAST);
        kernels = backend.kernels();
        cache = filled(backend, layers, keys, values);
        plan = plan(backend, queries);
        query = backend.upload(asked);
        out = backend.allocate(DType.F32, asked.length);
        for (int i = 0; i < layers; i++) {
            attend();
            Agreement.require(expected, Agreement.values(backend, out, asked.length), TOLERANCE);
        }
    }

    private float[] reference(float[] keys, float[] values, float[] asked) {
        try (Backend reference = new ReferenceBackend();
                PagedCache filled = filled(reference, 1, keys, values);
                BatchPlan last = plan(reference, queries)) {
            Tensor to = reference.allocate(DType.F32, asked.length);
            reference.kernels().attention(to, reference.upload(asked), filled, 0, last, HEADS, 0, SCALE);
            return Agreement.values(reference, to, asked.length);
        }
    }

    private PagedCache filled(Backend any, int layerCount, float[] keys, float[] values) {
        int blocks = sequences * blocksOfSequence();
        PagedCache filled = any.newCache(layerCount, blocks, BLOCK_TOKENS, KEY_VALUE_HEADS, HEAD_SIZE, CACHE);
        Tensor k = any.upload(keys);
        Tensor v = any.upload(values);
        try (BatchPlan all = plan(any, length)) {
            for (int i = 0; i < layerCount; i++) {
                any.kernels().storeKeysValues(filled, i, all, k, v);
            }
        }
        return filled;
    }

    /** The last {@code count} tokens of each sequence. */
    private BatchPlan plan(Backend any, int count) {
        int tokens = sequences * count;
        int[] positions = new int[tokens];
        int[] owners = new int[tokens];
        for (int i = 0; i < tokens; i++) {
            positions[i] = length - count + i % count;
            owners[i] = i / count;
        }
        return any.kernels()
                .plan(new int[tokens], positions, owners, blockTables(), new int[0], BLOCK_TOKENS, new float[0]);
    }

    private int[][] blockTables() {
        int width = blocksOfSequence();
        List<Integer> blocks = IntStream.range(0, sequences * width).boxed().collect(Collectors.toList());
        Collections.shuffle(blocks, new Random(1));
        int[][] tables = new int[sequences][width];
        for (int i = 0; i < sequences; i++) {
            int first = i * width;
            Arrays.setAll(tables[i], j -> blocks.get(first + j));
        }
        return tables;
    }

    private int blocksOfSequence() {
        return Math.ceilDiv(length, BLOCK_TOKENS);
    }

    @Benchmark
    public void attend() {
        kernels.attention(out, query, cache, next, plan, HEADS, 0, SCALE);
        next = next + 1 == layers ? 0 : next + 1;
    }

    @TearDown
    public void close() {
        plan.close();
        cache.close();
        backend.close();
    }
}
