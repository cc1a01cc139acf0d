package dev.tsumugi.engine.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import dev.tsumugi.engine.kernels.AdamWStep;
import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.BlockMoments;
import dev.tsumugi.engine.kernels.MatrixView;
import dev.tsumugi.engine.kernels.Nf4Matrix;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.kernels.TrainingKernels;
import dev.tsumugi.engine.kernels.TrainingKernels.AttentionShape;
import dev.tsumugi.engine.kernels.VectorBackend;
import dev.tsumugi.engine.kernels.Weight;
import dev.tsumugi.engine.quant.Nf4;
import dev.tsumugi.engine.quant.Quantization;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.HostMemory;
import dev.tsumugi.engine.tensor.OwnedMemory;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The operations of training on a device against those of the processor, which are themselves held to what PyTorch recorded; odd sizes, and each
 * several times, because what one leaves behind must not change the next.
 */
abstract class TrainingKernelsContract {
    /** Sums of fp32 in another order. */
    private static final double EXACT = 2e-5;
    /** Either factor keeps 8 bits. */
    private static final double TENSOR_CORES = 1.0 / 64;

    private final Random random = new Random(41);

    abstract Backend open(Precision precision);

    /** What a backend computes; tensors of its own for the inputs that are changed. */
    private interface Operation {
        Tensor run(Backend backend, TrainingKernels kernels);
    }

    private void agree(Operation operation) {
        try (Backend device = open(Precision.EXACT);
                Backend host = new VectorBackend(1, Precision.EXACT)) {
            float[] expected = floats(host, operation.run(host, host.trainingKernels()));
            for (int round = 0; round < 2; round++) {
                close(floats(device, operation.run(device, device.trainingKernels())), expected, EXACT);
            }
        }
    }

    /** Relative to the largest. */
    private static void close(float[] actual, float[] expected, double tolerance) {
        double largest = 1e-6;
        for (float value : expected) {
            largest = Math.max(largest, Math.abs(value));
        }
        for (int i = 0; i < expected.length; i++) {
            assertThat((double) actual[i]).as("element %d", i).isCloseTo(expected[i], offset(tolerance * largest));
        }
    }

    private static float[] floats(Backend backend, Tensor tensor) {
        float[] values = new float[(int) tensor.shape().elements()];
        backend.download(tensor, values, values.length);
        return values;
    }

    private float[] values(int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = random.nextFloat() * 2 - 1;
        }
        return values;
    }

    @ParameterizedTest(name = "[{0}, {1}] times [{1}, {2}], add {3}")
    @CsvSource({"1, 1, 1, false", "37, 70, 33, true", "3, 1300, 5, false", "3, 1300, 5, true", "65, 0, 2, false"})
    void productsOfMatricesEitherWayRoundAgree(int m, int k, int n, boolean add) {
        float[] left = values(m * k + 2 * m);
        float[] right = values(k * n);
        float[] before = values(m * (n + 3));
        for (int turn = 0; turn < 4; turn++) {
            boolean turnLeft = turn % 2 == 1;
            boolean turnRight = turn / 2 == 1;
            // The processor's kernels do not take both.
            if (turnLeft && turnRight) {
                continue;
            }
            agree((backend, kernels) -> {
                Tensor out = backend.upload(before);
                Tensor a = backend.upload(left);
                Tensor b = backend.upload(right);
                kernels.product(
                        MatrixView.of(out, m, n + 3).columns(2, n),
                        turnLeft
                                ? MatrixView.of(a, k, m).transposed()
                                : MatrixView.of(a, m, k + 2).columns(1, k),
                        turnRight ? MatrixView.of(b, n, k).transposed() : MatrixView.of(b, k, n),
                        add);
                return out;
            });
        }
    }

    @ParameterizedTest(name = "{0} [{1}, {2}] {3}")
    @CsvSource({
        "F32, 65, 97, EXACT",
        "F32, 33, 70, FAST",
        "Q4_0, 70, 96, FAST",
        "Q4_1, 40, 288, EXACT",
        "Q8_0, 200, 160, FAST"
    })
    void aWeightReadTheOtherWayRoundGivesTheGradientByItsInput(DType type, int n, int k, Precision precision) {
        try (Arena arena = Arena.ofConfined();
                Backend device = open(precision);
                Backend host = new VectorBackend(1, Precision.EXACT)) {
            float[] values = values(n * k);
            MemorySegment memory = type == DType.F32
                    ? arena.allocateFrom(ValueLayout.JAVA_FLOAT, values)
                    : arena.allocateFrom(ValueLayout.JAVA_BYTE, Quantization.toBlocks(type, values));
            Tensor matrix = new Tensor(type, new Shape(n, k), new HostMemory(memory), 0);
            try (Weight forward = device.prepareForTraining(matrix, false, false);
                    Weight backward = Objects.requireNonNull(device.turned(forward));
                    Weight wanted = host.prepareForTraining(matrix, true, false)) {
                assertThat(backward.byteSize()).isZero();
                bothWays(device, backward, host, wanted, precision);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"EXACT", "FAST"})
    void rowsOfSeveralMatricesInNf4AreMultipliedFromTheirCodes(Precision precision) {
        int k = 72;
        int[] order = IntStream.range(0, 50).map(n -> n * 7 % 50).toArray();
        // Blocks of 64 do not end with rows, and the scales of 300 rows fill more than one group.
        Nf4Matrix matrix = new Nf4Matrix(
                List.of(
                        new Nf4Matrix.Part(Nf4.quantize(values(50 * k), true), 50, order),
                        new Nf4Matrix.Part(Nf4.quantize(values(300 * k), true), 300, null)),
                k);
        try (Arena arena = Arena.ofConfined();
                Backend device = open(precision);
                Backend host = new VectorBackend(1, Precision.EXACT)) {
            Tensor plain = matrix.dequantize(arena);
            try (Weight forward = Objects.requireNonNull(device.prepareNf4(matrix));
                    Weight backward = Objects.requireNonNull(device.turned(forward));
                    Weight wanted = host.prepareForTraining(plain, false, false);
                    Weight wantedBackward = host.prepareForTraining(plain, true, false)) {
                assertThat(forward.byteSize()).isLessThan(2 * 350 * k);
                bothWays(device, forward, host, wanted, precision);
                bothWays(device, backward, host, wantedBackward, precision);
            }
            Nf4Matrix odd = new Nf4Matrix(List.of(new Nf4Matrix.Part(Nf4.quantize(values(27), true), 3, null)), 9);
            assertThat(device.prepareNf4(odd)).isNull();
        }
    }

    private void bothWays(Backend device, Weight weight, Backend host, Weight wanted, Precision precision) {
        for (int rows : new int[] {1, 5, 8, 13, 140}) {
            float[] x = values(rows * weight.inputs());
            double tolerance = precision == Precision.FAST && rows > CudaKernels.FEW_ROWS ? TENSOR_CORES : EXACT;
            close(linear(device, weight, x, rows), linear(host, wanted, x, rows), tolerance);
        }
    }

    private static float[] linear(Backend backend, Weight weight, float[] x, int rows) {
        Tensor out = backend.allocate(DType.F32, rows, weight.outputs());
        Tensor in = backend.upload(x);
        backend.trainingKernels().linear(out, in, rows, weight, null);
        float[] result = floats(backend, out);
        for (Tensor tensor : List.of(out, in)) {
            ((OwnedMemory) tensor.memory()).close();
        }
        return result;
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "5, 33", "3, 1100"})
    void normsBackwardsAgree(int rows, int width) {
        float[] x = values(rows * width);
        float[] slopes = values(rows * width);
        float[] before = values(rows * width);
        float[] weight = values(width);
        agree((backend, kernels) -> {
            Tensor dX = backend.upload(before);
            Tensor w = backend.upload(weight);
            kernels.rmsNormBackward(dX, backend.upload(slopes), backend.upload(x), rows, width, w, 1e-5f);
            return dX;
        });
        agree((backend, kernels) -> {
            Tensor dX = backend.upload(before);
            Tensor w = backend.upload(weight);
            kernels.layerNormBackward(dX, backend.upload(slopes), backend.upload(x), rows, width, w, 1e-5f);
            return dX;
        });
    }

    @Test
    void normsOfSomeHeadsAgreeAndLeaveTheOthers() {
        float[] x = values(3 * 50);
        float[] slopes = values(3 * 50);
        float[] weight = values(10);
        agree((backend, kernels) -> {
            Tensor out = backend.upload(slopes);
            kernels.headNorm(out, backend.upload(x), 3, 50, 1, 3, 10, backend.upload(weight), 1e-5f);
            return out;
        });
        agree((backend, kernels) -> {
            Tensor dX = backend.upload(slopes);
            kernels.headNormBackward(dX, backend.upload(x), 3, 50, 1, 3, 10, backend.upload(weight), 1e-5f);
            return dX;
        });
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void rotationsAgree(boolean backward) {
        float[] x = values(4 * 40);
        float[] cosines = values(9 * 3);
        float[] sines = values(9 * 3);
        agree((backend, kernels) -> {
            Tensor in = backend.upload(x);
            kernels.rope(in, 40, 3, 10, new int[] {0, 8, 3, 4}, cosines, sines, 3, backward);
            return in;
        });
    }

    @ParameterizedTest(name = "{0} tokens, {1} over {2} heads of {3}, window {4}")
    @CsvSource({"'1', 2, 1, 8, 0", "'33, 7', 4, 2, 16, 0", "'3, 70', 3, 1, 24, 0", "'90', 2, 2, 40, 50"})
    void attentionAndItsGradientsAgree(String lengths, int heads, int keyHeads, int size, int window) {
        int[] starts = new int[lengths.split(", ").length + 1];
        for (int s = 1; s < starts.length; s++) {
            starts[s] = starts[s - 1] + Integer.parseInt(lengths.split(", ")[s - 1]);
        }
        AttentionShape shape = new AttentionShape(starts, heads, keyHeads, size, window, (float) (1 / Math.sqrt(size)));
        int tokens = shape.tokens();
        float[] states = values(tokens * shape.stride());
        float[] slopes = values(tokens * heads * size);
        for (int result = 0; result < 3; result++) {
            int wanted = result;
            agree((backend, kernels) -> {
                Tensor in = backend.upload(states);
                Tensor out = backend.allocate(DType.F32, slopes.length);
                Tensor logSums = backend.allocate(DType.F32, tokens, heads);
                Tensor dHeads = backend.allocate(DType.F32, states.length);
                kernels.attention(out, logSums, in, shape);
                kernels.attentionBackward(dHeads, backend.upload(slopes), out, logSums, in, shape);
                return wanted == 0 ? out : wanted == 1 ? logSums : dHeads;
            });
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void activationsAndTheirGradientsAgree(boolean other) {
        float[] x = values(7 * 66);
        for (int i = 0; i < x.length; i++) {
            x[i] *= 6;
        }
        float[] slopes = values(7 * 66);
        agree((backend, kernels) -> {
            Tensor out = backend.allocate(DType.F32, x.length);
            if (other) {
                kernels.swiGlu(out, backend.upload(x), null, 7, 33);
            } else {
                kernels.swiGluBackward(out, backend.upload(slopes), backend.upload(x), 7, 33);
            }
            return out;
        });
        agree((backend, kernels) -> {
            Tensor out = backend.allocate(DType.F32, x.length);
            kernels.gelu(out, backend.upload(x), x.length, other);
            return out;
        });
        agree((backend, kernels) -> {
            Tensor dX = backend.upload(slopes);
            kernels.geluBackward(dX, dX, backend.upload(x), x.length, other);
            return dX;
        });
    }

    @ParameterizedTest
    @CsvSource({"0, 0", "0, 0.25", "0.1, 0.25"})
    void crossEntropyAndItsGradientAgree(double smoothing, float gradientScale) {
        int vocabulary = 1003;
        float[] logits = values(5 * vocabulary);
        for (int i = 0; i < logits.length; i++) {
            logits[i] *= 20;
        }
        int[] targets = {0, 1002, 7, 7, 500};
        double[] losses = new double[3];
        int[] at = {0};
        agree((backend, kernels) -> {
            Tensor in = backend.upload(logits);
            losses[at[0]++] = kernels.crossEntropy(in, targets, 5, vocabulary, smoothing, gradientScale);
            return in;
        });
        assertThat(losses[1]).isCloseTo(losses[0], offset(1e-5 * losses[0]));
        try (Backend device = open(Precision.EXACT)) {
            Tensor in = device.upload(logits);
            assertThatThrownBy(() ->
                            device.trainingKernels().crossEntropy(in, new int[] {vocabulary}, 1, vocabulary, 0, 1))
                    .hasMessageContaining("outside of a vocabulary");
        }
    }

    @Test
    void rowsArePickedPutBackClearedScaledAndDroppedAlike() {
        float[] x = values(6 * 5);
        int[] rows = {4, 0, 2};
        agree((backend, kernels) -> {
            Tensor out = backend.allocate(DType.F32, 6, 5);
            Tensor picked = backend.allocate(DType.F32, 3, 5);
            kernels.gather(picked, backend.upload(x), rows, 5);
            kernels.scale(picked, picked, 15, 3);
            kernels.scatter(out, picked, new int[] {5, 1, 0}, 5);
            return out;
        });
        agree((backend, kernels) -> {
            Tensor in = backend.upload(x);
            kernels.dropout(in, in, 6, 4, -1234567, 0.3f);
            kernels.clear(in, 3);
            return in;
        });
        float[] many = values(70_001);
        try (Backend device = open(Precision.EXACT);
                Backend host = new VectorBackend(1, Precision.EXACT)) {
            double expected = host.trainingKernels().sumOfSquares(host.upload(many), many.length);
            Tensor on = device.upload(many);
            double sum = device.trainingKernels().sumOfSquares(on, many.length);
            assertThat(sum).isCloseTo(expected, offset(1e-9 * expected));
            assertThat(device.trainingKernels().sumOfSquares(on, many.length)).isEqualTo(sum);
        }
    }

    /** Moments of more than three parts of what is on its way at a time. */
    @Test
    void momentsThatAreStreamedThroughTheDeviceMoveLikeThoseOfTheHost() {
        int count = (int) (4 * MomentStream.PART_BYTES / 8 + 77);
        float[] start = values(count + 3);
        float[] slopes = values(count + 3);
        slopes[9] = Float.NaN;
        try (Backend device = open(Precision.EXACT);
                Backend host = new VectorBackend(1, Precision.EXACT);
                Arena arena = Arena.ofConfined()) {
            TrainingKernels kernels = device.trainingKernels();
            OwnedMemory pinned = Objects.requireNonNull(kernels.momentMemory(8L * count));
            MemorySegment own = arena.allocate(8L * count, 64);
            Tensor there = device.upload(start);
            Tensor here = host.upload(start);
            Tensor slopesThere = device.upload(slopes);
            Tensor slopesHere = host.upload(slopes);
            BlockMoments bytesThere = new BlockMoments(pinned.segment().asSlice(0, BlockMoments.bytes(count)), count);
            BlockMoments bytesHere = new BlockMoments(own.asSlice(0, BlockMoments.bytes(count)), count);
            for (int step = 1; step <= 2; step++) {
                AdamWStep each = new AdamWStep(0.5f, step, 1e-2, 0.01);
                kernels.adamW(there, slopesThere, 3, count, pinned.segment(), each);
                kernels.awaitMoments();
                host.trainingKernels().adamW(here, slopesHere, 3, count, own, each);
            }
            alike(pinned.segment().toArray(ValueLayout.JAVA_FLOAT), own.toArray(ValueLayout.JAVA_FLOAT));
            alike(floats(device, there), floats(host, here));
            bytesThere.clear();
            bytesHere.clear();
            for (int step = 1; step <= 2; step++) {
                AdamWStep each = new AdamWStep(0.5f, step, 1e-2, 0.01);
                kernels.adamW8Bit(there, slopesThere, 3, bytesThere, each);
                kernels.awaitMoments();
                host.trainingKernels().adamW8Bit(here, slopesHere, 3, bytesHere, each);
            }
            alike(floats(device, there), floats(host, here));
            long scales = bytesHere.scales();
            int differ = 0;
            for (long i = 0; i < scales; i++) {
                int apart = Math.abs((bytesThere.memory().get(ValueLayout.JAVA_BYTE, i) & 255)
                        - (bytesHere.memory().get(ValueLayout.JAVA_BYTE, i) & 255));
                if (apart > 1) {
                    throw new AssertionError("code " + i + " is " + apart + " away");
                }
                differ += apart;
            }
            // A moment between two codes may fall to either side by rounding.
            assertThat(differ).isLessThan(count / 1000);
            pinned.close();
        }
    }

    private static void alike(float[] actual, float[] expected) {
        for (int i = 0; i < expected.length; i++) {
            if (!(Math.abs(actual[i] - expected[i]) <= 1e-6f)
                    && !(Float.isNaN(actual[i]) && Float.isNaN(expected[i]))) {
                throw new AssertionError("element " + i + " is " + actual[i] + " and should be " + expected[i]);
            }
        }
    }
}
