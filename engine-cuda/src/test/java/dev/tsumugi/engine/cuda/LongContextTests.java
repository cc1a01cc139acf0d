package dev.tsumugi.engine.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.BatchPlan;
import dev.tsumugi.engine.kernels.PagedCache;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.kernels.ReferenceBackend;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Tensor;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Attention over more positions than a chunk of single tokens and a tile of the tensor cores hold, beside a short sequence. */
class LongContextTests {
    private static final int BLOCK_TOKENS = 16;
    private static final int HEADS = 5;
    private static final int LONG = 600;
    private static final int FED_LAST = 70;

    private final Random random = new Random(5);

    @ParameterizedTest
    @CsvSource({
        "EXACT, 0, 24, F32, 4e-6",
        "EXACT, 300, 24, BF16, 4e-6",
        "FAST, 0, 24, BF16, 0.02",
        "FAST, 130, 40, F32, 0.02"
    })
    void attentionAgreesWithTheReference(
            Precision precision, int window, int headSize, DType storage, double tolerance) {
        float[] keys = floats((LONG + 1) * headSize);
        float[] values = floats((LONG + 1) * headSize);
        float[] queries = floats((FED_LAST + 1) * HEADS * headSize);
        float[] expected;
        try (Backend reference = new ReferenceBackend()) {
            expected = attention(reference, window, headSize, storage, keys, values, queries);
        }
        try (Backend backend = Emulation.backend(precision)) {
            float[] actual = attention(backend, window, headSize, storage, keys, values, queries);
            for (int i = 0; i < expected.length; i++) {
                assertThat((double) actual[i]).as("element %d", i).isCloseTo(expected[i], offset(tolerance));
            }
        }
    }

    /** The last tokens of a sequence of 600, and one of a sequence of its own. */
    private float[] attention(
            Backend backend, int window, int headSize, DType storage, float[] keys, float[] values, float[] queries) {
        int[][] tables = {IntStream.range(0, 38).map(i -> i * 7 % 38).toArray(), {38}};
        try (PagedCache cache = backend.newCache(1, 39, BLOCK_TOKENS, 1, headSize, storage)) {
            int[] positions = IntStream.range(0, LONG + 1).map(i -> i % LONG).toArray();
            int[] sequences = IntStream.range(0, LONG + 1).map(i -> i / LONG).toArray();
            try (BatchPlan plan = plan(backend, positions, sequences, tables)) {
                backend.kernels().storeKeysValues(cache, 0, plan, backend.upload(keys), backend.upload(values));
            }
            int[] last = IntStream.range(0, FED_LAST + 1)
                    .map(i -> i < FED_LAST ? LONG - FED_LAST + i : 0)
                    .toArray();
            int[] owners =
                    IntStream.range(0, FED_LAST + 1).map(i -> i / FED_LAST).toArray();
            Tensor out = backend.allocate(DType.F32, FED_LAST + 1, HEADS, headSize);
            try (BatchPlan plan = plan(backend, last, owners, tables)) {
                backend.kernels().attention(out, backend.upload(queries), cache, 0, plan, HEADS, window, 0.4f);
            }
            float[] result = new float[queries.length];
            backend.download(out, result, result.length);
            return result;
        }
    }

    private static BatchPlan plan(Backend backend, int[] positions, int[] sequences, int[][] tables) {
        return backend.kernels()
                .plan(new int[positions.length], positions, sequences, tables, new int[0], BLOCK_TOKENS, new float[0]);
    }

    private float[] floats(int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = random.nextFloat() * 2 - 1;
        }
        return values;
    }
}
