package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.quant.Dequantization;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Tensor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Scalar Java in one thread: for tests and doubts, never chosen by {@code auto}. */
public final class ReferenceBackend extends HostBackend {
    public static final String NAME = "reference";
    private final Kernels kernels = new ReferenceKernels();

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public Kernels kernels() {
        return kernels;
    }

    @Override
    public Weight prepare(Tensor matrix) {
        Sizes.requireMatrix(matrix);
        Sizes.requireNumbers(matrix.dtype());
        int outputs = (int) matrix.shape().get(0);
        int inputs = (int) matrix.shape().get(1);
        float[] values = new float[Math.multiplyExact(outputs, inputs)];
        float[] row = new float[inputs];
        for (int n = 0; n < outputs; n++) {
            Dequantization.row(matrix, n, row, 0);
            System.arraycopy(row, 0, values, n * inputs, inputs);
        }
        return new ReferenceKernels.FloatWeight(outputs, inputs, values);
    }

    @Override
    public LowRankUpdates prepareLowRank(List<@Nullable LowRankSource> sources) {
        return new ReferenceLowRank(sources);
    }

    @Override
    public PagedCache newCache(
            int layers, int blocks, int blockTokens, int keyValueHeads, int headSize, DType storage) {
        Sizes.requireCacheSize(layers, blocks, blockTokens, keyValueHeads, headSize, storage);
        int elements = Math.toIntExact((long) layers * blocks * blockTokens * keyValueHeads * headSize);
        return new ReferenceKernels.PlainCache(
                layers,
                blocks,
                blockTokens,
                keyValueHeads,
                headSize,
                storage,
                new float[elements],
                new float[elements]);
    }

    @Override
    public long cacheBlockBytes(int layers, int blockTokens, int keyValueHeads, int headSize, DType storage) {
        return 8L * layers * blockTokens * keyValueHeads * headSize;
    }

    @Override
    public void close() {}

    /** Opens {@link ReferenceBackend}; threads and precision do not matter to it. */
    public static final class Provider implements BackendProvider {
        @Override
        public String name() {
            return NAME;
        }

        @Override
        public int preference() {
            return -1;
        }

        @Override
        public Availability availability() {
            return Availability.yes();
        }

        @Override
        public Backend open(int threads, Precision precision) {
            return new ReferenceBackend();
        }
    }
}
