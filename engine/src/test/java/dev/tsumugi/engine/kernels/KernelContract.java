package dev.tsumugi.engine.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import dev.tsumugi.engine.quant.Dequantization;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.HostMemory;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What every backend must do alike: each operation against {@link ReferenceBackend}, over odd sizes. A backend's test extends this. */
public abstract class KernelContract {
    private final Random random = new Random(7);
    private final Backend reference = new ReferenceBackend();
    private Backend backend;

    /** The backend under test. */
    protected abstract Backend open();

    /** What {@code linear} may be off, relative to the sum of magnitudes of its products. */
    protected double linearTolerance(DType dtype, int rows) {
        return 2e-6;
    }

    /** What {@code attention} may be off, relative to values of magnitude 1. */
    protected double attentionTolerance() {
        return 3e-6;
    }

    @BeforeEach
    void openBackend() {
        backend = open();
    }

    @AfterEach
    void closeBackend() {
        // It is not there where its device is not.
        if (backend != null) {
            backend.close();
        }
    }

    @ParameterizedTest
    @CsvSource({"1,1", "1,3", "2,7", "3,16", "5,17", "17,64", "2,100", "33,576"})
    void normsAgree(int rows, int width) {
        float[] x = floats(rows * width);
        float[] weight = floats(width);
        float[] bias = floats(width);
        agree(rows * width, 2e-6, b -> {
            Tensor out = b.allocate(DType.F32, rows, width);
            b.kernels().rmsNorm(out, b.upload(x), rows, width, b.upload(weight), 1e-5f);
            return out;
        });
        agree(rows * width, 5e-6, b -> {
            Tensor inPlace = b.upload(x);
            b.kernels().layerNorm(inPlace, inPlace, rows, width, b.upload(weight), b.upload(bias), 1e-5f);
            return inPlace;
        });
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"U8", "I8", "I32", "I64"},
            mode = EnumSource.Mode.EXCLUDE)
    void linearAgreesForEveryWeightType(DType dtype) {
        int unit = dtype.blockElements();
        int[][] shapes = {
            {1, 1, unit},
            {1, 33, 2 * unit},
            {2, 5, 5 * unit},
            {3, 64, unit},
            {4, 31, 3 * unit},
            {9, 70, 4 * unit},
            {21, 17, 7 * unit}
        };
        for (int[] shape : shapes) {
            linearAgrees(dtype, shape[0], shape[1], shape[2], true);
            linearAgrees(dtype, shape[0], shape[1], shape[2], false);
        }
    }

    @Test
    void linearAgreesForRowsOfAnyLength() {
        for (int inputs : new int[] {1, 3, 15, 127, 128, 129, 300}) {
            linearAgrees(DType.F32, 5, 19, inputs, true);
            linearAgrees(DType.BF16, 2, 19, inputs, false);
            linearAgrees(DType.F16, 1, 19, inputs, true);
        }
    }

    private void linearAgrees(DType dtype, int rows, int outputs, int inputs, boolean biased) {
        try (Arena arena = Arena.ofShared()) {
            Tensor matrix = weights(dtype, outputs, inputs, arena);
            float[] x = floats(rows * inputs);
            float[] bias = floats(outputs);
            float[] expected = linear(reference, matrix, x, rows, biased ? bias : null);
            float[] actual = linear(backend, matrix, x, rows, biased ? bias : null);
            float[] row = new float[inputs];
            for (int n = 0; n < outputs; n++) {
                Dequantization.row(matrix, n, row, 0);
                for (int t = 0; t < rows; t++) {
                    double magnitude = Math.abs(bias[n]);
                    for (int k = 0; k < inputs; k++) {
                        magnitude += Math.abs(x[t * inputs + k] * row[k]);
                    }
                    assertThat((double) actual[t * outputs + n])
                            .as("%s [%d,%d] x [%d,%d] at %d,%d", dtype, rows, inputs, outputs, inputs, t, n)
                            .isCloseTo(expected[t * outputs + n], offset(magnitude * linearTolerance(dtype, rows)));
                }
            }
        }
    }

    private static float[] linear(Backend b, Tensor matrix, float[] x, int rows, float[] bias) {
        try (Weight weight = b.prepare(matrix)) {
            assertThat(weight.outputs()).isEqualTo((int) matrix.shape().get(0));
            assertThat(weight.inputs()).isEqualTo((int) matrix.shape().get(1));
            Tensor out = b.allocate(DType.F32, rows, weight.outputs());
            b.kernels().linear(out, b.upload(x), rows, weight, bias == null ? null : b.upload(bias));
            return down(b, out, rows * weight.outputs());
        }
    }

    @ParameterizedTest
    @EnumSource(RopeLayout.class)
    void ropeAgreesAndLeavesTheRestOfAHead(RopeLayout layout) {
        int heads = 3;
        for (int headSize : new int[] {6, 16, 33}) {
            for (int pairs : new int[] {0, 1, headSize / 2}) {
                float[] x = floats(7 * heads * headSize);
                float[] frequencies = floats(pairs);
                agree(x.length, 1e-6, b -> {
                    Tensor inPlace = b.upload(x);
                    try (BatchPlan plan = twoSequences(b, 5, frequencies)) {
                        b.kernels().rope(inPlace, plan, heads, headSize, layout);
                    }
                    return inPlace;
                });
            }
        }
    }

    @Test
    void embeddingsAndOutputRowsAreCopiesOfRows() {
        try (Arena arena = Arena.ofShared()) {
            Tensor table = weights(DType.Q8_0, 9, 64, arena);
            agree(7 * 64, 0, b -> {
                Tensor out = b.allocate(DType.F32, 7, 64);
                b.kernels().embed(out, twoSequences(b, 5, new float[0]), b.prepareTable(table));
                return out;
            });
            agree(3 * 64, 0, b -> {
                Tensor rows = b.allocate(DType.F32, 7, 64);
                Tensor out = b.allocate(DType.F32, 3, 64);
                BatchPlan plan = twoSequences(b, 5, new float[0]);
                b.kernels().embed(rows, plan, b.prepareTable(table));
                b.kernels().gatherOutputs(out, rows, plan, 64);
                return out;
            });
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 15, 16, 17, 31, 64, 1000, 49152})
    void theLargestElementOfEachRowIsFound(int width) {
        int rows = 8;
        float[] x = floats(rows * width);
        Arrays.fill(x, width, 2 * width, -3);
        Arrays.fill(x, 2 * width, 3 * width, Float.NEGATIVE_INFINITY);
        x[3 * width + width / 2] = Float.NaN;
        x[4 * width + width - 1] = Float.POSITIVE_INFINITY;
        x[5 * width] = 7;
        x[5 * width + width - 1] = 7;
        x[6 * width + width - 1] = 9;
        x[7 * width + width / 3] = Float.NEGATIVE_INFINITY;
        int[] places = new int[rows];
        float[] leads = new float[rows];
        int[] expectedPlaces = new int[rows];
        float[] expectedLeads = new float[rows];

        backend.kernels().largest(places, leads, backend.upload(x), rows, width);
        reference.kernels().largest(expectedPlaces, expectedLeads, reference.upload(x), rows, width);

        assertThat(places).isEqualTo(expectedPlaces);
        assertThat(leads).isEqualTo(expectedLeads);
        assertThat(places).startsWith(places[0], 0, -1, -1, -1, 0, width - 1);
        assertThat(leads[1]).isEqualTo(width == 1 ? Float.POSITIVE_INFINITY : 0);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 15, 16, 17, 1000, 40000})
    void elementwiseOperationsAgree(int count) {
        float[] x = floats(count);
        float[] y = floats(count);
        for (int i = 0; i < count; i++) {
            x[i] *= 1 << i % 7;
        }
        agree(count, 2e-6, b -> {
            Tensor out = b.allocate(DType.F32, count);
            b.kernels().swiGlu(out, b.upload(x), b.upload(y), count);
            return out;
        });
        agree(count, 2e-6, b -> {
            Tensor inPlace = b.upload(x);
            b.kernels().geluErf(inPlace, count);
            return inPlace;
        });
        agree(count, 2e-6, b -> {
            Tensor inPlace = b.upload(x);
            b.kernels().geluTanh(inPlace, count);
            return inPlace;
        });
        agree(count, 0, b -> {
            Tensor inPlace = b.upload(x);
            b.kernels().add(inPlace, b.upload(y), count);
            return inPlace;
        });
    }

    @ParameterizedTest
    @CsvSource({
        "2,2,16,0,5,F32",
        "4,2,16,0,4,F32",
        "6,2,33,3,5,F32",
        "3,1,64,1,16,F32",
        "9,3,6,4,3,F32",
        "4,2,16,0,5,BF16",
        "6,1,40,7,16,BF16"
    })
    void attentionAgreesOverRaggedBatchesAndWindows(
            int heads, int keyValueHeads, int headSize, int window, int blockTokens, DType storage) {
        int earlier = 40;
        int[] blocks = {5, 0, 3, 9, 12, 7, 1, 14, 15, 2, 20, 16, 17, 4, 18};
        int[] otherBlocks = {10, 6, 8, 11, 13, 19, 21, 22, 23, 24, 25, 26, 27, 28, 29};
        int keyWidth = keyValueHeads * headSize;
        float[] firstKeys = floats(earlier * keyWidth);
        float[] firstValues = floats(earlier * keyWidth);
        int[] counts = {19, 1};
        int tokens = counts[0] + counts[1];
        float[] keys = floats(tokens * keyWidth);
        float[] values = floats(tokens * keyWidth);
        float[] queries = floats(tokens * heads * headSize);
        for (int i = 0; i < queries.length; i++) {
            queries[i] *= 5;
        }
        agree(queries.length, attentionTolerance(), b -> {
            Kernels k = b.kernels();
            Tensor out = b.allocate(DType.F32, tokens, heads, headSize);
            try (PagedCache cache = b.newCache(2, 30, blockTokens, keyValueHeads, headSize, storage)) {
                // Sequence 0 starts here; sequence 1 has 40 tokens already, or as many as its blocks hold.
                int before = Math.min(earlier, 15 * blockTokens - 1);
                int[] range = range(0, before);
                int[][] tables = {blocks, otherBlocks};
                BatchPlan first = k.plan(
                        new int[before], range, filled(before, 1), tables, new int[0], blockTokens, new float[0]);
                k.storeKeysValues(cache, 1, first, b.upload(firstKeys), b.upload(firstValues));
                int[] positions = Arrays.copyOf(range(0, counts[0]), tokens);
                positions[tokens - 1] = before;
                int[] sequences = new int[tokens];
                sequences[tokens - 1] = 1;
                BatchPlan plan =
                        k.plan(new int[tokens], positions, sequences, tables, new int[0], blockTokens, new float[0]);
                k.storeKeysValues(cache, 1, plan, b.upload(keys), b.upload(values));
                k.attention(out, b.upload(queries), cache, 1, plan, heads, window, 0.25f);
            }
            return out;
        });
    }

    /** Requests that begin with one prompt have its cache blocks in common, some of them a second prompt's too. */
    @ParameterizedTest
    @CsvSource({"2,2,16,0,5,F32", "9,3,20,0,16,F32", "6,2,16,30,16,F32", "9,3,32,0,16,BF16", "4,1,40,0,64,BF16"})
    void attentionAgreesWhereSequencesShareBlocks(
            int heads, int keyValueHeads, int headSize, int window, int blockTokens, DType storage) {
        int sharedBlocks = 300 / blockTokens;
        int[] newTokens = {1, 3, 1, 1, 2, 1};
        int keyWidth = keyValueHeads * headSize;
        int written = sharedBlocks * blockTokens;
        float[] firstKeys = floats(written * keyWidth);
        float[] firstValues = floats(written * keyWidth);
        int blocksOfEach = sharedBlocks + 2;
        int[][] tables = new int[newTokens.length][blocksOfEach];
        int next = sharedBlocks;
        for (int s = 0; s < tables.length; s++) {
            // The second and the fifth share half as many; the last shares none.
            int shared = s == 5 ? 0 : s % 3 == 1 ? sharedBlocks / 2 : sharedBlocks;
            for (int i = 0; i < blocksOfEach; i++) {
                tables[s][i] = i < shared ? i : next++;
            }
        }
        int cacheBlocks = next;
        int tokens = Arrays.stream(newTokens).sum();
        int[] positions = new int[tokens];
        int[] sequences = new int[tokens];
        for (int s = 0, t = 0; s < newTokens.length; s++) {
            for (int i = 0; i < newTokens[s]; i++, t++) {
                sequences[t] = s;
                positions[t] = written + s + i;
            }
        }
        float[] keys = floats(tokens * keyWidth);
        float[] queries = floats(tokens * heads * headSize);
        agree(queries.length, attentionTolerance(), b -> {
            Kernels k = b.kernels();
            Tensor out = b.allocate(DType.F32, tokens, heads, headSize);
            try (PagedCache cache = b.newCache(1, cacheBlocks, blockTokens, keyValueHeads, headSize, storage)) {
                for (int s = 0; s < tables.length; s++) {
                    int before = written + s;
                    BatchPlan earlier = k.plan(
                            new int[before],
                            range(0, before),
                            filled(before, s),
                            tables,
                            new int[0],
                            blockTokens,
                            new float[0]);
                    float[] seenKeys = Arrays.copyOf(firstKeys, before * keyWidth);
                    float[] seenValues = Arrays.copyOf(firstValues, before * keyWidth);
                    k.storeKeysValues(cache, 0, earlier, b.upload(seenKeys), b.upload(seenValues));
                }
                BatchPlan plan =
                        k.plan(new int[tokens], positions, sequences, tables, new int[0], blockTokens, new float[0]);
                k.storeKeysValues(cache, 0, plan, b.upload(keys), b.upload(keys));
                k.attention(out, b.upload(queries), cache, 0, plan, heads, window, 0.25f);
            }
            return out;
        });
    }

    @Test
    void sizesThatDoNotFitAreRefused() {
        Kernels k = backend.kernels();
        Tensor four = backend.upload(new float[4]);
        Tensor five = backend.upload(new float[5]);
        assertThatThrownBy(() -> k.add(five, four, 5)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> k.rmsNorm(four, five, 1, 5, five, 0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> backend.download(four, new float[5], 5)).isInstanceOf(IllegalArgumentException.class);
        try (PagedCache cache = backend.newCache(1, 2, 4, 1, 4, DType.F32)) {
            int[] zero = {0};
            BatchPlan outside = k.plan(zero, zero, zero, new int[][] {{2}}, zero, 4, new float[0]);
            assertThatThrownBy(() -> k.storeKeysValues(cache, 0, outside, four, four))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("block 2");
            assertThatThrownBy(() -> k.plan(zero, new int[] {4}, zero, new int[][] {{1}}, zero, 4, new float[0]))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("position 4");
        }
        try (Arena arena = Arena.ofShared()) {
            Tensor table = weights(DType.F32, 3, 4, arena);
            BatchPlan plan =
                    k.plan(new int[] {3}, new int[1], new int[1], new int[][] {{0}}, new int[0], 4, new float[0]);
            assertThatThrownBy(() -> k.embed(five, plan, backend.prepareTable(table)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("token 3");
        }
    }

    private BatchPlan twoSequences(Backend b, int blockTokens, float[] frequencies) {
        return b.kernels()
                .plan(
                        new int[] {3, 1, 4, 1, 8, 0, 2},
                        new int[] {0, 1, 2, 3, 6, 7, 8},
                        new int[] {0, 0, 0, 0, 1, 1, 1},
                        new int[][] {{0}, {1, 2}},
                        new int[] {0, 3, 6},
                        blockTokens,
                        frequencies);
    }

    /** Random weights of any type: plausible scales, every bit pattern in the small integers. */
    private Tensor weights(DType dtype, int rows, int columns, Arena arena) {
        long bytes = dtype.bytes((long) rows * columns);
        MemorySegment segment = arena.allocate(bytes, 64);
        if (!dtype.isQuantized()) {
            for (int i = 0; i < rows * columns; i++) {
                float value = random.nextFloat() * 2 - 1;
                switch (dtype) {
                    case F32 -> segment.setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
                    case F16 -> segment.setAtIndex(ValueLayout.JAVA_SHORT, i, Float.floatToFloat16(value));
                    default -> segment.setAtIndex(ValueLayout.JAVA_SHORT, i, BFloat16.bits(value));
                }
            }
        } else {
            byte[] noise = new byte[(int) bytes];
            random.nextBytes(noise);
            MemorySegment.copy(noise, 0, segment, ValueLayout.JAVA_BYTE, 0, noise.length);
            for (long block = 0; block < bytes; block += dtype.blockBytes()) {
                for (long at : scaleOffsets(dtype)) {
                    short scale = Float.floatToFloat16((random.nextFloat() - 0.3f) / 50);
                    segment.set(ValueLayout.JAVA_SHORT_UNALIGNED, block + at, scale);
                }
            }
        }
        return new Tensor(dtype, new Shape(rows, columns), new HostMemory(segment), 0);
    }

    /** Where a block has half-precision numbers, which random bits would make infinite. */
    private static long[] scaleOffsets(DType dtype) {
        return switch (dtype) {
            case Q4_0, Q5_0, Q8_0 -> new long[] {0};
            case Q2_K -> new long[] {80, 82};
            case Q3_K -> new long[] {108};
            case Q6_K -> new long[] {208};
            default -> new long[] {0, 2};
        };
    }

    private float[] floats(int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = random.nextFloat() * 2 - 1;
        }
        return values;
    }

    private interface Operation {
        Tensor on(Backend backend);
    }

    /** Runs {@code operation} on both backends; results may differ by {@code tolerance} times their magnitude, or times 1 below it. */
    private void agree(int count, double tolerance, Operation operation) {
        float[] expected = down(reference, operation.on(reference), count);
        float[] actual = down(backend, operation.on(backend), count);
        for (int i = 0; i < count; i++) {
            double allowed = tolerance * Math.max(1, Math.abs(expected[i]));
            assertThat((double) actual[i]).as("element " + i).isCloseTo(expected[i], offset(allowed));
        }
    }

    private static float[] down(Backend b, Tensor tensor, int count) {
        float[] values = new float[count];
        b.download(tensor, values, count);
        return values;
    }

    private static int[] range(int from, int to) {
        int[] values = new int[to - from];
        Arrays.setAll(values, i -> from + i);
        return values;
    }

    private static int[] filled(int count, int value) {
        int[] values = new int[count];
        Arrays.fill(values, value);
        return values;
    }
}
