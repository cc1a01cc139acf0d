package dev.tsumugi.engine.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.LowRankRuns;
import dev.tsumugi.engine.kernels.LowRankSource;
import dev.tsumugi.engine.kernels.LowRankUpdates;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.kernels.VectorBackend;
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

/** Adapters that the host keeps and the device has no room for all at once. */
class AdapterTierTests {
    private static final int RANK = 64;
    private static final int INPUTS = 5000;
    private static final int OUTPUTS = 40;
    private static final int ADAPTERS = 6;

    private final Random random = new Random(3);
    private final List<LowRankSource> sources =
            IntStream.range(0, ADAPTERS).mapToObj(i -> source(INPUTS)).toList();

    /** Of a little more than {@code 256 * inputs} bytes. */
    private LowRankSource source(int inputs) {
        return new LowRankSource(
                inputs,
                List.of(new LowRankSource.Down(matrix(RANK, inputs), 0.5f)),
                List.of(new LowRankSource.Up(
                        0, 0, matrix(OUTPUTS, RANK), IntStream.range(0, OUTPUTS).toArray())));
    }

    /** Values that any backend keeps exactly. */
    private Tensor matrix(int rows, int columns) {
        float[] values = new float[rows * columns];
        for (int i = 0; i < values.length; i++) {
            values[i] = random.nextInt(-8, 9) / 8f;
        }
        return new Tensor(DType.F32, new Shape(rows, columns), new HostMemory(MemorySegment.ofArray(values)), 0);
    }

    private static CudaBackend backend(String share) {
        return new CudaBackend(
                new Device(Emulation.driver(), 0, Emulation.code(), MemoryShare.parse(share)), Precision.EXACT);
    }

    private List<LowRankUpdates> prepared(Backend backend) {
        List<LowRankUpdates> updates = new ArrayList<>();
        for (LowRankSource source : sources) {
            updates.add(backend.prepareLowRank(Arrays.asList(source)));
        }
        return updates;
    }

    /** What one row for each of these adapters gets, twice, as two layers of one forward pass do. */
    private static float[] rows(Backend backend, List<LowRankUpdates> updates, int... adapters) {
        float[] x = new float[adapters.length * INPUTS];
        for (int i = 0; i < x.length; i++) {
            x[i] = i % 13 / 4f - 1;
        }
        Tensor in = backend.upload(x);
        Tensor out = backend.upload(new float[adapters.length * OUTPUTS]);
        @Nullable LowRankUpdates[] owners = new LowRankUpdates[adapters.length];
        Arrays.setAll(owners, i -> updates.get(adapters[i]));
        LowRankRuns runs =
                new LowRankRuns(IntStream.rangeClosed(0, adapters.length).toArray(), owners);
        for (int layer = 0; layer < 2; layer++) {
            backend.kernels().addLowRank(new Tensor[] {out}, in, runs, 0);
        }
        float[] result = new float[adapters.length * OUTPUTS];
        backend.download(out, result, result.length);
        return result;
    }

    private void agree(Backend backend, List<LowRankUpdates> updates, int[]... batches) {
        try (Backend host = new VectorBackend(1, Precision.EXACT)) {
            List<LowRankUpdates> expected = prepared(host);
            for (int[] batch : batches) {
                assertThat(rows(backend, updates, batch)).containsExactly(rows(host, expected, batch), offset(0.05f));
            }
            expected.forEach(LowRankUpdates::close);
        }
    }

    @Test
    void whereThereIsRoomAllAreOnTheirWayBeforeAnyIsUsed() {
        try (CudaBackend backend = backend("200MiB")) {
            List<LowRankUpdates> updates = prepared(backend);
            assertThat(backend.adapters().present()).isEqualTo(ADAPTERS);
            agree(backend, updates, new int[] {0, 1, 2, 3, 4, 5}, new int[] {5, 1});
            assertThat(backend.adapters().evictions()).isZero();
            updates.get(1).close();
            assertThat(backend.adapters().present()).isEqualTo(ADAPTERS - 1);
            assertThatThrownBy(() -> rows(backend, updates, 0, 1)).isInstanceOf(IllegalStateException.class);
            agree(backend, updates, new int[] {5, 0});
            updates.forEach(LowRankUpdates::close);
        }
    }

    @Test
    void thoseNotUsedForLongestMakeRoomAndComeBackWhenTheyAreNeeded() {
        try (CudaBackend backend = backend("6MiB")) {
            List<LowRankUpdates> updates = prepared(backend);
            assertThat(backend.adapters().present())
                    .as("room that buffers may need")
                    .isZero();
            agree(backend, updates, new int[] {0, 1}, new int[] {1, 2}, new int[] {3, 4}, new int[] {0, 1}, new int[] {
                5, 0
            });
            assertThat(backend.adapters().present()).isBetween(2, 4);
            assertThat(backend.adapters().evictions()).isPositive();
            updates.forEach(LowRankUpdates::close);
            assertThat(backend.adapters().present()).isZero();
        }
    }

    @Test
    void aBatchWhoseAdaptersDoNotFitTogetherTakesThemOneAfterAnother() {
        try (CudaBackend backend = backend("6MiB")) {
            List<LowRankUpdates> updates = prepared(backend);
            agree(backend, updates, new int[] {0, 1, 2, 3, 4, 5}, new int[] {2}, new int[] {5, 4, 3, 2, 1, 0});
            updates.forEach(LowRankUpdates::close);
        }
    }

    @Test
    void oneThatWouldNotFitAloneIsRefusedWhenItIsMade() {
        try (CudaBackend backend = backend("6MiB")) {
            LowRankSource large = source(30_000);
            assertThatThrownBy(() -> backend.prepareLowRank(Arrays.asList(large)))
                    .isInstanceOf(CudaException.class)
                    .hasMessageContaining("an adapter of 7 MiB")
                    .hasMessageContaining(MemoryShare.PROPERTY);
        }
    }
}
