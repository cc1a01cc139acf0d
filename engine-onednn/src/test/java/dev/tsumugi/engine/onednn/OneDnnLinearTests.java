package dev.tsumugi.engine.onednn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.tsumugi.engine.kernels.BFloat16;
import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Backends;
import dev.tsumugi.engine.kernels.LinearLayer;
import dev.tsumugi.engine.kernels.PackedWeights;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.kernels.ReferenceBackend;
import dev.tsumugi.engine.kernels.VectorBackend;
import dev.tsumugi.engine.kernels.Weight;
import dev.tsumugi.engine.quant.Quantization;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.HostMemory;
import dev.tsumugi.engine.tensor.OwnedMemory;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The one operation that is not the Vector API's, against scalar Java: odd sizes, row counts on both sides of every boundary, all kinds of weights. */
class OneDnnLinearTests {
    private static final int[] ROW_COUNTS = {1, 4, 5, 7, 8, 9, 15, 16, 17, 127, 128, 129, 300};

    @BeforeAll
    static void onlyWhereThereIsOneDnn() {
        var availability = new OneDnnBackend.Provider().availability();
        assumeThat(availability.available()).as(availability.reason()).isTrue();
    }

    @ParameterizedTest(name = "{0} {1} [{2}, {3}] bias {4}")
    @CsvSource({
        "EXACT, F32, 1, 33, false",
        "EXACT, F32, 63, 64, true",
        "EXACT, F32, 200, 1, false",
        "EXACT, BF16, 65, 96, true",
        "EXACT, Q8_0, 130, 96, false",
        "FAST, F32, 577, 31, true",
        "FAST, F16, 64, 128, false",
        "FAST, BF16, 65, 96, true",
        "FAST, Q4_0, 130, 64, false",
        "FAST, Q4_1, 257, 96, true",
        "FAST, Q8_0, 3, 576, false",
        "FAST, Q4_1, 1100, 576, true",
        "FAST, Q4_1, 70, 1536, false",
        "FAST, Q8_0, 40, 608, false",
    })
    void linear_agrees_with_the_reference(Precision precision, DType dtype, int n, int k, boolean withBias) {
        Random random = new Random(17);
        try (Arena arena = Arena.ofShared();
                Backend reference = new ReferenceBackend();
                Backend onednn = new OneDnnBackend(2, precision)) {
            Tensor matrix = matrix(dtype, n, k, random, arena);
            float[] bias = values(n, random);
            for (int rows : ROW_COUNTS) {
                float[] x = values(rows * k, random);
                float[] expected = linear(reference, matrix, x, rows, withBias ? bias : null);
                float[] actual = linear(onednn, matrix, x, rows, withBias ? bias : null);
                // bfloat16 keeps 8 bits of each factor; where all of a row share a scale, small ones have fewer.
                double relative = precision == Precision.EXACT ? 1e-6 : dtype.isQuantized() ? 1.0 / 48 : 1.0 / 128;
                for (int i = 0; i < expected.length; i++) {
                    double bound = relative * Math.sqrt(k) * 3;
                    assertThat((double) Math.abs(actual[i] - expected[i]))
                            .as("%d rows, element %d: %f for %f", rows, i, actual[i], expected[i])
                            .isLessThanOrEqualTo(bound);
                }
            }
        }
    }

    /** They bear 8 bits worst, so they keep the 8 bits of mantissa that bfloat16 has. */
    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"Q4_0", "Q4_1", "Q8_0"})
    void queries_keys_and_values_are_not_rounded_to_integers(DType dtype) {
        int n = 130;
        int k = 576;
        int rows = 40;
        Random random = new Random(17);
        try (Arena arena = Arena.ofShared();
                Backend reference = new ReferenceBackend();
                Backend onednn = new OneDnnBackend(2, Precision.FAST)) {
            Tensor matrix = matrix(dtype, n, k, random, arena);
            float[] x = values(rows * k, random);
            float[] expected = linear(reference, matrix, x, rows, null);
            double inIntegers = error(expected, linear(onednn, matrix, x, rows, null));
            try (Weight weight = onednn.prepareAttentionInput(matrix)) {
                assertThat(error(expected, linear(onednn, weight, x, rows, null)))
                        .isLessThan(inIntegers / 2);
            }
        }
    }

    /** Root of the mean square. */
    private static double error(float[] expected, float[] actual) {
        double squares = 0;
        for (int i = 0; i < expected.length; i++) {
            squares += Math.pow(actual[i] - expected[i], 2);
        }
        return Math.sqrt(squares / expected.length);
    }

    @Test
    void one_large_input_does_not_cost_the_others_their_precision() {
        int k = 576;
        Random random = new Random(23);
        try (Arena arena = Arena.ofShared();
                Backend reference = new ReferenceBackend();
                Backend onednn = new OneDnnBackend(2, Precision.FAST)) {
            Tensor matrix = matrix(DType.Q4_1, 200, k, random, arena);
            float[] x = values(16 * k, random);
            for (int row = 0; row < 16; row++) {
                x[row * k + 100 + row] = 100;
            }
            float[] expected = linear(reference, matrix, x, 16, null);
            float[] actual = linear(onednn, matrix, x, 16, null);
            double squares = 0;
            for (int i = 0; i < expected.length; i++) {
                squares += Math.pow(actual[i] - expected[i], 2);
            }
            // Without the turn, the step is 100/127 and the error 5.5; with it a fifth of that.
            assertThat(Math.sqrt(squares / expected.length)).isLessThan(1.5);
        }
    }

    @Test
    void a_row_in_8_bits_has_the_same_bits_whatever_rows_and_layers_it_is_computed_with() {
        int k = 192;
        Random random = new Random(29);
        try (Arena arena = Arena.ofShared();
                Backend onednn = new OneDnnBackend(2, Precision.FAST);
                Weight gate = onednn.prepare(matrix(DType.Q4_1, 300, k, random, arena));
                Weight up = onednn.prepare(matrix(DType.Q4_1, 70, k, random, arena))) {
            float[] x = values(300 * k, random);
            float[] all = new float[300 * 300];
            float[] some = new float[9 * 300];
            Tensor in = onednn.upload(x);
            Tensor out = onednn.allocate(DType.F32, 300, 300);
            Tensor other = onednn.allocate(DType.F32, 300, 70);
            onednn.kernels().linears(in, 300, new LinearLayer(other, up, null), new LinearLayer(out, gate, null));
            onednn.download(out, all, all.length);
            Tensor part = onednn.upload(Arrays.copyOfRange(x, 131 * k, 140 * k));
            onednn.kernels().linear(out, part, 9, gate, null);
            onednn.download(out, some, some.length);
            assertThat(some).containsExactly(Arrays.copyOfRange(all, 131 * 300, 140 * 300));
            List.of(in, out, other, part).forEach(OneDnnLinearTests::free);
        }
    }

    @Test
    void nothing_outside_of_the_output_is_touched() {
        Random random = new Random(3);
        try (Arena arena = Arena.ofShared();
                Backend onednn = new OneDnnBackend(2, Precision.FAST)) {
            Tensor matrix = matrix(DType.F32, 70, 48, random, arena);
            Tensor x = onednn.upload(values(19 * 48, random));
            float[] marked = new float[20 * 70];
            Arrays.fill(marked, 7);
            Tensor out = onednn.upload(marked);
            try (Weight weight = onednn.prepare(matrix)) {
                onednn.kernels().linear(out, x, 19, weight, null);
            }
            onednn.download(out, marked, marked.length);
            assertThat(Arrays.copyOfRange(marked, 19 * 70, 20 * 70)).containsOnly(7f);
            assertThat(marked[18 * 70]).isNotEqualTo(7f);
            free(x);
            free(out);
        }
    }

    @Test
    void wrong_sizes_and_closed_or_foreign_weights_are_refused() {
        Random random = new Random(3);
        try (Arena arena = Arena.ofShared();
                Backend vector = new VectorBackend(1, Precision.FAST);
                Backend onednn = new OneDnnBackend(1, Precision.FAST)) {
            Tensor matrix = matrix(DType.F32, 8, 16, random, arena);
            Tensor x = onednn.upload(values(10 * 16, random));
            Tensor out = onednn.upload(new float[10 * 8]);
            Weight weight = onednn.prepare(matrix);
            try (Weight foreign = vector.prepare(matrix)) {
                assertThatThrownBy(() -> onednn.kernels().linear(out, x, 10, foreign, null))
                        .isInstanceOf(IllegalArgumentException.class);
            }
            assertThatThrownBy(() -> onednn.kernels().linear(out, x, 11, weight, null))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> onednn.kernels().linear(x, out, 10, weight, null))
                    .isInstanceOf(IllegalArgumentException.class);
            weight.close();
            assertThatThrownBy(() -> onednn.kernels().linear(out, x, 10, weight, null))
                    .isInstanceOf(IllegalStateException.class);
            free(x);
            free(out);
        }
    }

    @Test
    void rounding_is_to_the_nearest_even_and_keeps_not_a_number() {
        float[] values = new float[1030];
        Arrays.fill(values, 1.00390625f); // halfway between 1 and the next, which is odd
        values[3] = 1.01171875f;
        values[5] = Float.NaN;
        values[1025] = Float.NEGATIVE_INFINITY;
        values[1029] = Float.NaN;
        float[] back = new float[values.length];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment rounded = arena.allocate(2L * values.length, 64);
            MemorySegment from = arena.allocateFrom(ValueLayout.JAVA_FLOAT, values);
            BFloat16.round(from.address(), rounded.address(), values.length);
            for (int i = 0; i < back.length; i++) {
                back[i] = Float.intBitsToFloat(rounded.getAtIndex(ValueLayout.JAVA_SHORT, i) << 16);
            }
        }
        for (int i = 0; i < back.length; i++) {
            float expected = i == 3 ? 1.015625f : values[i] == 1.00390625f ? 1f : values[i];
            assertThat(back[i]).as("element %d", i).isEqualTo((Float) expected);
        }
    }

    @Test
    void the_service_loader_finds_it_and_auto_prefers_it() {
        try (Backend named = Backends.open(OneDnnBackend.NAME, 1, Precision.FAST);
                Backend chosen = Backends.open(Backends.AUTO, 1, Precision.FAST)) {
            assertThat(named.name()).isEqualTo(OneDnnBackend.NAME);
            assertThat(chosen.name()).isEqualTo(OneDnnBackend.NAME);
        }
    }

    @ParameterizedTest
    @CsvSource({"Q4_1, 257, 96", "Q8_0, 130, 576", "BF16, 65, 96"})
    void weights_that_were_packed_by_an_earlier_start_give_the_same_bits(
            DType dtype, int n, int k, @TempDir Path folder) throws IOException {
        Random random = new Random(23);
        try (Arena arena = Arena.ofShared()) {
            Tensor matrix = matrix(dtype, n, k, random, arena);
            float[] x = values(9 * k, random);
            float[] before = ofKept(folder, matrix, x);
            Object written = fileKey(folder);

            float[] after = ofKept(folder, matrix, x);

            assertThat(after).containsExactly(before);
            assertThat(fileKey(folder)).as("not written anew").isEqualTo(written);
        }
    }

    private static Object fileKey(Path folder) throws IOException {
        return Files.readAttributes(folder.resolve("kept.packed"), BasicFileAttributes.class)
                .fileKey();
    }

    /** Products of one row, which the Vector API multiplies, and of nine, in one array. */
    private static float[] ofKept(Path folder, Tensor matrix, float[] x) {
        try (Backend backend = new OneDnnBackend(2, Precision.FAST);
                PackedWeights kept = PackedWeights.in(folder, "kept", "stamp", 1)) {
            backend.keepPacked(kept);
            try (Weight weight = backend.prepare(matrix)) {
                kept.complete();
                float[] one = linear(backend, weight, x, 1, null);
                float[] nine = linear(backend, weight, x, 9, null);
                float[] both = Arrays.copyOf(one, one.length + nine.length);
                System.arraycopy(nine, 0, both, one.length, nine.length);
                return both;
            }
        }
    }

    private static float[] linear(Backend backend, Tensor matrix, float[] x, int rows, float[] bias) {
        try (Weight weight = backend.prepare(matrix)) {
            return linear(backend, weight, x, rows, bias);
        }
    }

    private static float[] linear(Backend backend, Weight weight, float[] x, int rows, float[] bias) {
        int n = weight.outputs();
        Tensor in = backend.upload(x);
        Tensor out = backend.allocate(DType.F32, rows, n);
        Tensor b = bias == null ? null : backend.upload(bias);
        float[] result = new float[rows * n];
        backend.kernels().linear(out, in, rows, weight, b);
        backend.download(out, result, result.length);
        free(in);
        free(out);
        if (b != null) {
            free(b);
        }
        return result;
    }

    private static void free(Tensor tensor) {
        ((OwnedMemory) tensor.memory()).close();
    }

    private static float[] values(int count, Random random) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    private static Tensor matrix(DType dtype, int n, int k, Random random, Arena arena) {
        float[] values = values(n * k, random);
        MemorySegment bytes = arena.allocate(dtype.bytes((long) n * k), 64);
        switch (dtype) {
            case F32 -> MemorySegment.copy(values, 0, bytes, ValueLayout.JAVA_FLOAT, 0, values.length);
            case F16, BF16 -> {
                for (int i = 0; i < values.length; i++) {
                    int half = dtype == DType.F16
                            ? Float.floatToFloat16(values[i])
                            : Float.floatToRawIntBits(values[i]) >>> 16;
                    bytes.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) half);
                }
            }
            default -> bytes.copyFrom(MemorySegment.ofArray(Quantization.toBlocks(dtype, values)));
        }
        return new Tensor(dtype, new Shape(n, k), new HostMemory(bytes), 0);
    }
}
