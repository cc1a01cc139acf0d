package dev.tsumugi.engine.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.HostMemory;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Low-rank updates against the formula: several adapters and none in one batch, odd sizes, outputs that share an A or have none. A backend's test
 * extends this.
 */
public abstract class LowRankContract {
    private final Random random = new Random(11);

    /** The backend under test. */
    protected abstract Backend open(Precision precision);

    /** Values that bfloat16 holds, so that a backend which rounds adapters to it loses nothing. */
    private float[] values(int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = BFloat16.round(random.nextFloat() * 2 - 1);
        }
        return values;
    }

    private static Tensor matrix(float[] values, int rows, int columns) {
        return new Tensor(DType.F32, new Shape(rows, columns), new HostMemory(MemorySegment.ofArray(values)), 0);
    }

    /** An adapter whose update 0 is empty, and whose update 1 has one A for each rank, and these outputs: {down, N}, or null. */
    private LowRankSource source(int inputs, int[] ranks, int @Nullable []... outputs) {
        List<LowRankSource.Down> downs = new ArrayList<>();
        for (int rank : ranks) {
            downs.add(new LowRankSource.Down(matrix(values(rank * inputs), rank, inputs), random.nextFloat() * 4));
        }
        List<LowRankSource.Up> ups = new ArrayList<>();
        for (int o = 0; o < outputs.length; o++) {
            if (outputs[o] != null) {
                int rank = ranks[outputs[o][0]];
                int n = outputs[o][1];
                // More rows than outputs, taken in some other order.
                int[] rows =
                        IntStream.range(0, n).map(i -> (i * 7 + 3) % (n + 5)).toArray();
                ups.add(new LowRankSource.Up(o, outputs[o][0], matrix(values((n + 5) * rank), n + 5, rank), rows));
            }
        }
        return new LowRankSource(inputs, downs, ups);
    }

    private static float[][] run(
            Backend backend, List<LowRankSource> adapters, int[] starts, int[] owners, float[] x, float[][] outs) {
        List<LowRankUpdates> prepared = adapters.stream()
                .map(source -> backend.prepareLowRank(Arrays.asList(null, source)))
                .toList();
        @Nullable LowRankUpdates[] updates = new LowRankUpdates[owners.length];
        for (int i = 0; i < owners.length; i++) {
            updates[i] = owners[i] < 0 ? null : prepared.get(owners[i]);
        }
        Tensor[] tensors = Arrays.stream(outs).map(backend::upload).toArray(Tensor[]::new);
        Tensor in = backend.upload(x);
        LowRankRuns runs = new LowRankRuns(starts, updates);
        backend.kernels().addLowRank(tensors, in, runs, 0);
        backend.kernels().addLowRank(tensors, in, runs, 1);
        float[][] results = new float[outs.length][];
        for (int o = 0; o < outs.length; o++) {
            results[o] = new float[outs[o].length];
            backend.download(tensors[o], results[o], results[o].length);
        }
        prepared.forEach(LowRankUpdates::close);
        return results;
    }

    @ParameterizedTest
    @CsvSource({"1,1,1", "2,5,3", "3,64,33", "4,100,64", "9,129,31", "37,576,192", "130,64,40"})
    void backendsAgreeOverRaggedRunsOfSeveralAdapters(int rows, int inputs, int outputs) {
        List<LowRankSource> adapters = List.of(
                source(inputs, new int[] {8, 3, 1}, new int[] {0, outputs}, new int[] {2, 7}, new int[] {1, outputs}),
                source(inputs, new int[] {5}, new int[] {0, outputs}, null, new int[] {0, outputs}),
                source(inputs, new int[] {16, 64}, null, new int[] {1, 7}, new int[] {0, outputs}));
        int[] starts = {0, rows / 5, rows / 2, rows / 2, rows - rows / 4, rows};
        int[] owners = {0, -1, 1, 2, 0};
        float[] x = values(rows * inputs);
        float[][] outs = {values(rows * outputs), values(rows * 7), values(rows * outputs)};
        float[][] expected;
        try (Backend reference = new ReferenceBackend()) {
            expected = run(reference, adapters, starts, owners, x, outs);
        }
        assertThat(expected).isNotEqualTo(outs);
        for (Precision precision : Precision.values()) {
            try (Backend backend = open(precision)) {
                float[][] actual = run(backend, adapters, starts, owners, x, outs);
                for (int o = 0; o < outs.length; o++) {
                    for (int i = 0; i < outs[o].length; i++) {
                        assertThat(actual[o][i])
                                .as("%s output %d element %d", precision, o, i)
                                .isCloseTo(expected[o][i], within(1e-4f * (1 + Math.abs(expected[o][i]))));
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Precision.class)
    void aRowGetsTheSameBitsWhateverStandsBesideIt(Precision precision) {
        int inputs = 200;
        int outputs = 70;
        int rows = 75;
        List<LowRankSource> adapters = List.of(
                source(inputs, new int[] {8}, new int[] {0, outputs}),
                source(inputs, new int[] {3}, new int[] {0, outputs}));
        float[] x = values(rows * inputs);
        float[] out = values(rows * outputs);
        try (Backend backend = open(precision)) {
            float[] together =
                    run(backend, adapters, new int[] {0, 34, 75}, new int[] {0, 1}, x, new float[][] {out})[0];
            for (int t = 0; t < rows; t++) {
                float[] alone = run(
                        backend,
                        adapters,
                        new int[] {0, 1},
                        new int[] {t < 34 ? 0 : 1},
                        Arrays.copyOfRange(x, t * inputs, (t + 1) * inputs),
                        new float[][] {Arrays.copyOfRange(out, t * outputs, (t + 1) * outputs)})[0];
                assertThat(alone)
                        .as("row %d", t)
                        .containsExactly(Arrays.copyOfRange(together, t * outputs, (t + 1) * outputs));
            }
        }
    }

    @Test
    void whatDoesNotFitIsRefused() {
        LowRankSource source = source(4, new int[] {2}, new int[] {0, 3});
        try (Backend backend = open(Precision.EXACT);
                Backend reference = new ReferenceBackend()) {
            for (Backend each : List.of(backend, reference)) {
                LowRankUpdates updates = each.prepareLowRank(List.of(source));
                Tensor four = each.upload(new float[4]);
                Tensor three = each.upload(new float[3]);
                LowRankRuns one = new LowRankRuns(new int[] {0, 1}, new LowRankUpdates[] {updates});
                LowRankRuns two = new LowRankRuns(new int[] {0, 2}, new LowRankUpdates[] {updates});
                Kernels k = each.kernels();
                assertThatThrownBy(() -> k.addLowRank(new Tensor[] {three}, three, one, 0))
                        .hasMessageContaining("x needs 4");
                assertThatThrownBy(() -> k.addLowRank(new Tensor[] {three}, four, two, 0))
                        .isInstanceOf(IllegalArgumentException.class);
                assertThatThrownBy(() -> k.addLowRank(new Tensor[0], four, one, 0))
                        .hasMessageContaining("output 0 is outside of 0");
                assertThatThrownBy(() -> k.addLowRank(new Tensor[] {three}, four, one, 1))
                        .hasMessageContaining("update 1 is outside of an adapter of 1");
            }
            LowRankUpdates closed = backend.prepareLowRank(List.of(source));
            closed.close();
            closed.close();
            Tensor four = backend.upload(new float[4]);
            assertThatThrownBy(() -> backend.kernels()
                            .addLowRank(
                                    new Tensor[] {four},
                                    four,
                                    new LowRankRuns(new int[] {0, 1}, new LowRankUpdates[] {closed}),
                                    0))
                    .isInstanceOf(IllegalStateException.class);
        }
        assertThatThrownBy(() -> new LowRankRuns(new int[] {0, 3, 2}, new LowRankUpdates[2]))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new LowRankSource(
                        4,
                        List.of(new LowRankSource.Down(matrix(new float[8], 2, 4), 1)),
                        List.of(new LowRankSource.Up(0, 0, matrix(new float[9], 3, 3), new int[] {0}))))
                .hasMessageContaining("[3, 3] behind an A of rank 2");
    }
}
