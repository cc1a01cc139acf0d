package dev.tsumugi.bench.kernels;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Backends;
import dev.tsumugi.engine.kernels.Kernels;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.kernels.ReferenceBackend;
import dev.tsumugi.engine.kernels.VectorBackend;
import dev.tsumugi.engine.kernels.Weight;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** One linear layer after another, each with a weight of its own, as a forward pass multiplies. */
@State(Scope.Benchmark)
public class LinearKernel {
    /** The reference computes so many rows, the first and the last ones. */
    private static final int CHECKED_ROWS = 16;

    @Param(VectorBackend.NAME)
    String backendName = VectorBackend.NAME;

    @Param("2")
    int threads;

    @Param("Q4_1")
    DType dtype = DType.Q4_1;

    @Param("1536")
    int outputs;

    @Param("576")
    int inputs;

    @Param("1")
    int rows;

    /** Weights that take turns. */
    @Param("1")
    int weights;

    private Backend backend;
    private Kernels kernels;
    private Weight[] prepared;
    private Tensor x;
    private Tensor out;
    private int next;

    /** Prepares the weights, and checks what comes out of each. */
    @Setup
    public void prepare() {
        RandomNumbers random = new RandomNumbers();
        backend = Backends.open(backendName, threads, Precision.FAST);
        kernels = backend.kernels();
        prepared = new Weight[weights];
        float[] values = random.floats(rows * inputs);
        x = backend.upload(values);
        out = backend.allocate(DType.F32, rows, outputs);
        try (Arena arena = Arena.ofShared()) {
            Tensor matrix = random.matrix(dtype, outputs, inputs, arena);
            int[] checked = checkedRows();
            float[] expected = reference(matrix, values, checked);
            for (int i = 0; i < weights; i++) {
                prepared[i] = backend.prepare(matrix);
                multiply();
                float[] actual = Agreement.values(backend, out, rows * outputs);
                Agreement.require(expected, pick(actual, outputs, checked), tolerance());
            }
        }
    }

    private int[] checkedRows() {
        return IntStream.range(0, rows)
                .filter(row -> row < CHECKED_ROWS / 2 || row >= rows - CHECKED_ROWS / 2)
                .toArray();
    }

    private static float[] pick(float[] matrix, int width, int[] rows) {
        float[] picked = new float[rows.length * width];
        for (int i = 0; i < rows.length; i++) {
            System.arraycopy(matrix, rows[i] * width, picked, i * width, width);
        }
        return picked;
    }

    private float[] reference(Tensor matrix, float[] values, int[] checked) {
        try (Backend reference = new ReferenceBackend();
                Weight weight = reference.prepare(matrix)) {
            Tensor to = reference.allocate(DType.F32, checked.length, outputs);
            Tensor from = reference.upload(pick(values, inputs, checked));
            reference.kernels().linear(to, from, checked.length, weight, null);
            return Agreement.values(reference, to, checked.length * outputs);
        }
    }

    /** What rounding of the operands costs: to 8 bits both or the activations alone, to bfloat16, or none. */
    private double tolerance() {
        if (!backendName.equals(VectorBackend.NAME)) {
            return dtype.isQuantized() ? 0.03 : 0.01;
        }
        return switch (dtype) {
            case Q4_0, Q4_1, Q4_K -> 0.01;
            default -> 1e-5;
        };
    }

    @Benchmark
    public void multiply() {
        kernels.linear(out, x, rows, prepared[next], null);
        next = next + 1 == weights ? 0 : next + 1;
    }

    @TearDown
    public void close() {
        Arrays.stream(prepared).forEach(Weight::close);
        backend.close();
    }
}
