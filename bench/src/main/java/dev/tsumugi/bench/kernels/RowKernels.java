package dev.tsumugi.bench.kernels;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Backends;
import dev.tsumugi.engine.kernels.BatchPlan;
import dev.tsumugi.engine.kernels.Kernels;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.kernels.ReferenceBackend;
import dev.tsumugi.engine.kernels.RopeLayout;
import dev.tsumugi.engine.kernels.VectorBackend;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Tensor;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** What happens to each row between the products, in buffers that are used again and again, as those of a forward pass are. */
@State(Scope.Benchmark)
public class RowKernels {
    /** Of SmolLM2-135M. */
    public static final int WIDTH = 576;

    public static final int FEED_FORWARD_WIDTH = 1536;

    private static final int HEADS = AttentionKernel.HEADS;
    private static final int HEAD_SIZE = AttentionKernel.HEAD_SIZE;
    private static final float EPSILON = 1e-5f;
    private static final double TOLERANCE = 1e-5;

    @Param("2")
    int threads;

    @Param("1")
    int rows;

    private Backend backend;
    private Operands operands;

    /** Inputs and outputs of the operations on one backend. */
    private record Operands(
            Kernels kernels, int rows, Tensor x, Tensor weight, Tensor gate, Tensor up, Tensor out, BatchPlan plan)
            implements AutoCloseable {
        static Operands on(Backend backend, int rows) {
            RandomNumbers random = new RandomNumbers();
            float[] frequencies = random.floats(HEAD_SIZE / 2);
            BatchPlan plan = backend.kernels()
                    .plan(
                            new int[rows],
                            IntStream.range(0, rows).toArray(),
                            new int[rows],
                            new int[][] {{0}},
                            new int[0],
                            rows,
                            frequencies);
            return new Operands(
                    backend.kernels(),
                    rows,
                    backend.upload(random.floats(rows * WIDTH)),
                    backend.upload(random.floats(WIDTH)),
                    backend.upload(random.floats(rows * FEED_FORWARD_WIDTH)),
                    backend.upload(random.floats(rows * FEED_FORWARD_WIDTH)),
                    backend.allocate(DType.F32, rows, FEED_FORWARD_WIDTH),
                    plan);
        }

        Tensor rmsNorm() {
            kernels.rmsNorm(out, x, rows, WIDTH, weight, EPSILON);
            return out;
        }

        Tensor swiGlu() {
            kernels.swiGlu(out, gate, up, rows * FEED_FORWARD_WIDTH);
            return out;
        }

        /** In place; turns by the same angle each time, which leaves the magnitudes as they are. */
        Tensor rope() {
            kernels.rope(x, plan, HEADS, HEAD_SIZE, RopeLayout.HALVES);
            return x;
        }

        @Override
        public void close() {
            plan.close();
        }
    }

    /** Makes the operands, and checks every operation. */
    @Setup
    public void prepare() {
        backend = Backends.open(VectorBackend.NAME, threads, Precision.FAST);
        operands = Operands.on(backend, rows);
        try (Backend reference = new ReferenceBackend();
                Operands its = Operands.on(reference, rows)) {
            check(reference, its, Operands::rmsNorm, WIDTH);
            check(reference, its, Operands::swiGlu, FEED_FORWARD_WIDTH);
            check(reference, its, Operands::rope, WIDTH);
        }
    }

    private void check(Backend reference, Operands its, Function<Operands, Tensor> operation, int width) {
        float[] expected = Agreement.values(reference, operation.apply(its), rows * width);
        float[] actual = Agreement.values(backend, operation.apply(operands), rows * width);
        Agreement.require(expected, actual, TOLERANCE);
    }

    @Benchmark
    public void rmsNorm() {
        Tensor unused = operands.rmsNorm();
    }

    @Benchmark
    public void swiGlu() {
        Tensor unused = operands.swiGlu();
    }

    @Benchmark
    public void rope() {
        Tensor unused = operands.rope();
    }

    @TearDown
    public void close() {
        operands.close();
        backend.close();
    }
}
