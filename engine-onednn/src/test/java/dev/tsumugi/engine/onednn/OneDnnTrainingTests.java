package dev.tsumugi.engine.onednn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.MatrixView;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.kernels.TrainingKernels;
import dev.tsumugi.engine.kernels.TrainingKernels.Addend;
import dev.tsumugi.engine.kernels.TrainingKernels.AttentionShape;
import dev.tsumugi.engine.kernels.VectorBackend;
import dev.tsumugi.engine.kernels.Weight;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.HostMemory;
import dev.tsumugi.engine.tensor.OwnedMemory;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Products with frozen weights in both directions, against sums in double precision. */
class OneDnnTrainingTests {
    private static final int[] ROW_COUNTS = {1, 8, 13, 128, 200};

    @BeforeAll
    static void onlyWhereThereIsOneDnn() {
        var availability = new OneDnnBackend.Provider().availability();
        assumeThat(availability.available()).as(availability.reason()).isTrue();
    }

    @ParameterizedTest(name = "{0} [{1}, {2}] coarse {3}")
    @CsvSource({
        "EXACT, 65, 96, false",
        "FAST, 65, 96, false",
        "FAST, 576, 192, true",
        "FAST, 100, 1, false",
        "FAST, 1100, 64, true",
        // So long that slices are packed one after another.
        "FAST, 20000, 260, false"
    })
    void bothDirectionsOfAMatrixAgreeWithItsSums(Precision precision, int n, int k, boolean coarse) {
        Random random = new Random(23);
        try (Arena arena = Arena.ofShared();
                Backend onednn = new OneDnnBackend(2, precision)) {
            float[] w = values(n * k, random);
            Tensor matrix = new Tensor(
                    DType.F32, new Shape(n, k), new HostMemory(arena.allocateFrom(ValueLayout.JAVA_FLOAT, w)), 0);
            try (Weight forward = onednn.prepareForTraining(matrix, false, coarse);
                    Weight backward = onednn.prepareForTraining(matrix, true, coarse)) {
                assertThat(forward.outputs()).isEqualTo(backward.inputs()).isEqualTo(n);
                assertThat(forward.inputs()).isEqualTo(backward.outputs()).isEqualTo(k);
                for (int rows : n > 10_000 ? new int[] {13} : ROW_COUNTS) {
                    agrees(onednn, forward, rows, random, precision, (o, i) -> w[o * k + i]);
                    agrees(onednn, backward, rows, random, precision, (o, i) -> w[i * k + o]);
                }
            }
        }
    }

    @ParameterizedTest(name = "{0} coarse {1}, {2} rows, rank {3}")
    @CsvSource({
        "EXACT, false, 9, 3",
        "FAST, false, 8, 4",
        "FAST, false, 13, 8",
        "FAST, true, 131, 8",
        "FAST, true, 7, 24"
    })
    void productsThatAreAddedToALinearLayerAreThoseOfOneAfterAnother(
            Precision precision, boolean coarse, int rows, int rank) {
        int inputs = 100;
        int outputs = 1100;
        // The second begins within a slice and ends within another.
        int first = 30;
        int second = 900;
        Random random = new Random(31);
        try (Arena arena = Arena.ofShared();
                Backend onednn = new OneDnnBackend(2, precision)) {
            Tensor matrix = new Tensor(
                    DType.F32,
                    new Shape(outputs, inputs),
                    new HostMemory(arena.allocateFrom(ValueLayout.JAVA_FLOAT, values(outputs * inputs, random))),
                    0);
            TrainingKernels training = onednn.trainingKernels();
            Tensor x = onednn.upload(values(rows * inputs, random));
            Tensor bias = onednn.upload(values(outputs, random));
            MatrixView left = MatrixView.of(onednn.upload(values(rows * 2 * rank, random)), rows, 2 * rank);
            MatrixView right = MatrixView.of(onednn.upload(values(rank * first, random)), rank, first);
            MatrixView other = MatrixView.of(onednn.upload(values(rank * second, random)), rank, second);
            Tensor expected = onednn.allocate(DType.F32, rows, outputs);
            Tensor actual = onednn.allocate(DType.F32, rows, outputs);
            try (Weight weight = onednn.prepareForTraining(matrix, false, coarse)) {
                onednn.kernels().linear(expected, x, rows, weight, bias);
                MatrixView all = MatrixView.of(expected, rows, outputs);
                training.product(all.columns(7, first), left.columns(0, rank), right, true);
                training.product(all.columns(200, second), left.columns(rank, rank), other, true);
                training.linear(
                        actual,
                        x,
                        rows,
                        weight,
                        bias,
                        new Addend(left.columns(0, rank), right, 7),
                        new Addend(left.columns(rank, rank), other, 200));
                float[] wanted = new float[rows * outputs];
                float[] found = new float[rows * outputs];
                onednn.download(expected, wanted, wanted.length);
                onednn.download(actual, found, found.length);
                assertThat(found).containsExactly(wanted, offset(1e-4f));
                assertThatThrownBy(() -> training.linear(
                                actual, x, rows, weight, bias, new Addend(left.columns(0, rank), other, 201)))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessageContaining("does not fit");
            }
            for (Tensor tensor : List.of(x, bias, left.tensor(), right.tensor(), other.tensor(), expected, actual)) {
                ((OwnedMemory) tensor.memory()).close();
            }
        }
    }

    @ParameterizedTest(name = "{0} tokens, {1} over {2} heads of {3}, window {4}")
    @CsvSource({"'1', 2, 1, 8, 0", "'33, 7', 4, 2, 16, 0", "'70, 600', 3, 1, 24, 0", "'200', 2, 2, 40, 50"})
    void attentionAndItsGradientsAgreeWithThoseInFp32(String lengths, int heads, int keyHeads, int size, int window) {
        int[] starts = new int[lengths.split(", ").length + 1];
        for (int s = 1; s < starts.length; s++) {
            starts[s] = starts[s - 1] + Integer.parseInt(lengths.split(", ")[s - 1]);
        }
        AttentionShape shape = new AttentionShape(starts, heads, keyHeads, size, window, (float) (1 / Math.sqrt(size)));
        int tokens = shape.tokens();
        Random random = new Random(29);
        float[] states = values(tokens * shape.stride(), random);
        float[] slopes = values(tokens * heads * size, random);
        try (Backend exact = new VectorBackend(2, Precision.EXACT);
                Backend onednn = new OneDnnBackend(2, Precision.FAST)) {
            // Twice, because what the first run leaves behind must not change the second.
            List<float[]> first = attention(onednn, shape, states, slopes);
            List<float[]> second = attention(onednn, shape, states, slopes);
            List<float[]> expected = attention(exact, shape, states, slopes);
            for (int i = 0; i < expected.size(); i++) {
                assertThat(second.get(i)).isEqualTo(first.get(i));
                double largest = 0;
                for (float value : expected.get(i)) {
                    largest = Math.max(largest, Math.abs(value));
                }
                // Factors keep 8 bits.
                assertThat(first.get(i)).containsExactly(expected.get(i), offset((float) (largest / 64)));
            }
        }
    }

    @Test
    void gatesThatAreKeptRoundedGiveNearlyTheSameOutputsAndGradients() {
        int rows = 19;
        int width = 48;
        Random random = new Random(37);
        float[] gates = values(rows * 2 * width, random);
        try (Backend onednn = new OneDnnBackend(2, Precision.FAST)) {
            TrainingKernels training = onednn.trainingKernels();
            assertThat(training.keptType(width)).isIn(DType.BF16, DType.F32);
            assertThat(training.keptType(width + 1)).isEqualTo(DType.F32);
            Tensor gateUp = onednn.upload(gates);
            Tensor dOut = onednn.upload(values(rows * width, random));
            Tensor kept = onednn.allocate(DType.BF16, rows, 2 * width);
            List<Tensor> outs = List.of(
                    onednn.allocate(DType.F32, rows, width),
                    onednn.allocate(DType.F32, rows, width),
                    onednn.allocate(DType.F32, rows, width));
            Tensor exactSlopes = onednn.allocate(DType.F32, rows, 2 * width);
            Tensor slopes = onednn.allocate(DType.F32, rows, 2 * width);
            training.swiGlu(outs.get(0), gateUp, null, rows, width);
            training.swiGlu(outs.get(1), gateUp, kept, rows, width);
            training.swiGlu(outs.get(2), kept, null, rows, width);
            training.swiGluBackward(exactSlopes, dOut, gateUp, rows, width);
            training.swiGluBackward(slopes, dOut, kept, rows, width);
            assertThat(floats(onednn, outs.get(1))).isEqualTo(floats(onednn, outs.get(0)));
            assertThat(floats(onednn, outs.get(2))).containsExactly(floats(onednn, outs.get(0)), offset(1f / 128));
            assertThat(floats(onednn, slopes)).containsExactly(floats(onednn, exactSlopes), offset(1f / 128));
            assertThatThrownBy(() -> training.swiGlu(outs.get(0), kept, null, rows, width - 1))
                    .isInstanceOf(IllegalArgumentException.class);
            for (Tensor tensor : List.of(gateUp, dOut, kept, exactSlopes, slopes)) {
                ((OwnedMemory) tensor.memory()).close();
            }
            outs.forEach(out -> ((OwnedMemory) out.memory()).close());
        }
    }

    private static float[] floats(Backend backend, Tensor tensor) {
        float[] values = new float[(int) tensor.shape().elements()];
        backend.download(tensor, values, values.length);
        return values;
    }

    /** Output, logarithms of sums, and gradient by queries, keys and values. */
    private static List<float[]> attention(Backend backend, AttentionShape shape, float[] states, float[] slopes) {
        Tensor heads = backend.upload(states);
        Tensor dOut = backend.upload(slopes);
        Tensor out = backend.allocate(DType.F32, slopes.length);
        Tensor logSums = backend.allocate(DType.F32, shape.tokens(), shape.heads());
        Tensor dHeads = backend.allocate(DType.F32, states.length);
        backend.trainingKernels().attention(out, logSums, heads, shape);
        backend.trainingKernels().attentionBackward(dHeads, dOut, out, logSums, heads, shape);
        List<float[]> results = new ArrayList<>();
        for (Tensor tensor : List.of(out, logSums, dHeads, heads, dOut)) {
            results.add(floats(backend, tensor));
            ((OwnedMemory) tensor.memory()).close();
        }
        return results.subList(0, 3);
    }

    private interface Element {
        float at(int output, int input);
    }

    private static void agrees(
            Backend backend, Weight weight, int rows, Random random, Precision precision, Element matrix) {
        int n = weight.outputs();
        int k = weight.inputs();
        float[] x = values(rows * k, random);
        Tensor in = backend.upload(x);
        Tensor out = backend.allocate(DType.F32, rows, n);
        backend.kernels().linear(out, in, rows, weight, null);
        float[] actual = new float[rows * n];
        backend.download(out, actual, actual.length);
        // Factors keep 7 or 8 bits under FAST; errors of a sum grow with the root of its length.
        double bound = (precision == Precision.EXACT ? 1e-6 : 1.0 / 64) * Math.sqrt(k) * 3;
        for (int probe = 0; probe < 400; probe++) {
            int r = random.nextInt(rows);
            int o = random.nextInt(n);
            double sum = 0;
            for (int i = 0; i < k; i++) {
                sum += (double) x[r * k + i] * matrix.at(o, i);
            }
            assertThat(Math.abs(actual[r * n + o] - sum))
                    .as("%d rows, row %d, output %d: %f for %f", rows, r, o, actual[r * n + o], sum)
                    .isLessThanOrEqualTo(bound);
        }
        ((OwnedMemory) in.memory()).close();
        ((OwnedMemory) out.memory()).close();
    }

    private static float[] values(int count, Random random) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = random.nextFloat() * 2 - 1;
        }
        return values;
    }
}
