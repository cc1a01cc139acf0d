package dev.tsumugi.engine.onednn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;
import static org.assertj.core.data.Offset.offset;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.BatchPlan;
import dev.tsumugi.engine.kernels.Kernels;
import dev.tsumugi.engine.kernels.PagedCache;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.kernels.VectorBackend;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Tensor;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Attention of prompts against that of the Vector API over the same cache: lengths on both sides of tiles, grains and pieces. */
class PromptAttentionTests {

    @BeforeAll
    static void onlyWhereThereIsOneDnn() {
        var availability = new OneDnnBackend.Provider().availability();
        assumeThat(availability.available()).as(availability.reason()).isTrue();
    }

    @ParameterizedTest(name = "{0} heads over {1}, D {2}, window {3}, blocks of {4}, {6} tokens behind {5}")
    @CsvSource({
        "9, 3, 64, 0, 16, 0, 32",
        "9, 3, 64, 0, 16, 0, 33",
        "9, 3, 64, 0, 16, 0, 512",
        "9, 3, 64, 0, 16, 77, 200",
        "9, 3, 64, 0, 16, 500, 61",
        "4, 4, 40, 0, 32, 3, 97",
        "8, 1, 64, 100, 16, 600, 150",
        "2, 2, 128, 600, 64, 1000, 40",
        "6, 2, 33, 5, 16, 0, 70",
        "3, 3, 16, 0, 5, 10, 64",
    })
    void a_prompt_sees_what_it_sees_by_the_vector_api(
            int heads, int keyValueHeads, int headSize, int window, int blockTokens, int earlier, int tokens) {
        float[] expected;
        float[] actual;
        try (Backend vector = new VectorBackend(2, Precision.FAST);
                Backend oneDnn = new OneDnnBackend(2, Precision.FAST)) {
            expected = attend(vector, heads, keyValueHeads, headSize, window, blockTokens, earlier, tokens);
            actual = attend(oneDnn, heads, keyValueHeads, headSize, window, blockTokens, earlier, tokens);
        }
        for (int i = 0; i < expected.length; i++) {
            // Values of up to 1, rounded to 8 bits of fraction, with weights as coarse.
            assertThat(actual[i]).as("element " + i).isCloseTo(expected[i], offset(0.02f));
        }
    }

    /** A run in front of a single token of another sequence; what the blocks held before is no number. */
    private static float[] attend(
            Backend backend,
            int heads,
            int keyValueHeads,
            int headSize,
            int window,
            int blockTokens,
            int earlier,
            int tokens) {
        Random random = new Random(5);
        Kernels kernels = backend.kernels();
        int blocks = Math.ceilDiv(earlier + tokens, blockTokens);
        int[][] tables = {shuffled(blocks, 2), {blocks, blocks + 1}};
        int width = keyValueHeads * headSize;
        int all = (blocks + 2) * blockTokens;
        try (PagedCache cache = backend.newCache(1, blocks + 2, blockTokens, keyValueHeads, headSize, DType.BF16)) {
            float[] nothing = new float[all * width];
            Arrays.fill(nothing, Float.NaN);
            int[] everyBlock = IntStream.range(0, blocks + 2).toArray();
            store(backend, cache, new int[][] {everyBlock}, 0, 0, all, blockTokens, nothing, nothing);
            if (earlier > 0) {
                store(
                        backend,
                        cache,
                        tables,
                        0,
                        0,
                        earlier,
                        blockTokens,
                        floats(random, earlier * width, 1),
                        floats(random, earlier * width, 1));
            }
            int[] positions = IntStream.range(0, tokens + 1)
                    .map(i -> i < tokens ? earlier + i : 0)
                    .toArray();
            int[] sequences =
                    IntStream.range(0, tokens + 1).map(i -> i < tokens ? 0 : 1).toArray();
            BatchPlan plan = kernels.plan(
                    new int[tokens + 1], positions, sequences, tables, new int[0], blockTokens, new float[0]);
            kernels.storeKeysValues(
                    cache,
                    0,
                    plan,
                    backend.upload(floats(random, (tokens + 1) * width, 1)),
                    backend.upload(floats(random, (tokens + 1) * width, 1)));
            int count = (tokens + 1) * heads * headSize;
            Tensor out = backend.allocate(DType.F32, count);
            Tensor queries = backend.upload(floats(random, count, 3));
            kernels.attention(out, queries, cache, 0, plan, heads, window, 0.2f);
            float[] values = new float[count];
            backend.download(out, values, count);
            return values;
        }
    }

    private static void store(
            Backend backend,
            PagedCache cache,
            int[][] tables,
            int sequence,
            int first,
            int count,
            int blockTokens,
            float[] keys,
            float[] values) {
        int[] positions = IntStream.range(first, first + count).toArray();
        int[] sequences = new int[count];
        Arrays.fill(sequences, sequence);
        Kernels kernels = backend.kernels();
        BatchPlan plan =
                kernels.plan(new int[count], positions, sequences, tables, new int[0], blockTokens, new float[0]);
        kernels.storeKeysValues(cache, 0, plan, backend.upload(keys), backend.upload(values));
    }

    private static int[] shuffled(int count, int seed) {
        int[] values = IntStream.range(0, count).toArray();
        Random random = new Random(seed);
        for (int i = count - 1; i > 0; i--) {
            int j = random.nextInt(i + 1);
            int kept = values[i];
            values[i] = values[j];
            values[j] = kept;
        }
        return values;
    }

    private static float[] floats(Random random, int count, float most) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (random.nextFloat() * 2 - 1) * most;
        }
        return values;
    }
}
