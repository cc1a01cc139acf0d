package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Tensor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The processor through the Vector API. Other backends for the processor hold one of these for what they do not do better themselves.
 */
public final class VectorBackend extends HostBackend {
    public static final String NAME = "vector";
    private final ThreadTeam team;
    private final Slabs slabs = new Slabs();
    private final VectorKernels kernels;
    private final VectorTrainingKernels training;

    /** @param threads that compute, the caller's included */
    public VectorBackend(int threads, Precision precision) {
        team = new ThreadTeam(threads);
        kernels = new VectorKernels(team, precision);
        training = new VectorTrainingKernels(team, kernels);
    }

    @Override
    public String name() {
        return NAME;
    }

    /** The threads that compute; for backends that build on this one, between its operations. */
    public ThreadTeam team() {
        return team;
    }

    /** From now on attention of long runs of tokens over a cache in bfloat16 is {@code attention}'s; for backends that build on this one. */
    public void handLongRunsTo(LongRunAttention attention) {
        kernels.handLongRunsTo(attention);
    }

    /** Where weights lie; for backends that build on this one. */
    public Slabs slabs() {
        return slabs;
    }

    @Override
    public Kernels kernels() {
        return kernels;
    }

    @Override
    public TrainingKernels trainingKernels() {
        return training;
    }

    @Override
    public void keepPacked(PackedWeights kept) {
        slabs.keepIn(kept);
    }

    @Override
    public Weight prepare(Tensor matrix) {
        return PanelMatrix.pack(matrix, team, slabs);
    }

    /** Under {@link Precision#FAST} rounded to bfloat16, because a batch of several adapters is bound by reading them. */
    @Override
    public LowRankUpdates prepareLowRank(List<@Nullable LowRankSource> sources) {
        return VectorLowRank.pack(sources, kernels.precision() == Precision.FAST);
    }

    @Override
    public PagedCache newCache(
            int layers, int blocks, int blockTokens, int keyValueHeads, int headSize, DType storage) {
        return new VectorCache(layers, blocks, blockTokens, keyValueHeads, headSize, storage);
    }

    @Override
    public long cacheBlockBytes(int layers, int blockTokens, int keyValueHeads, int headSize, DType storage) {
        return VectorCache.blockBytes(layers, blockTokens, keyValueHeads, headSize, storage);
    }

    @Override
    public void close() {
        team.close();
        slabs.close();
        kernels.close();
        training.close();
    }

    /** Opens {@link VectorBackend} where the Vector API is there. */
    public static final class Provider implements BackendProvider {
        @Override
        public String name() {
            return NAME;
        }

        @Override
        public int preference() {
            return 10;
        }

        @Override
        public Availability availability() {
            return VectorSupport.availability();
        }

        @Override
        public Backend open(int threads, Precision precision) {
            return new VectorBackend(threads, precision);
        }
    }
}
