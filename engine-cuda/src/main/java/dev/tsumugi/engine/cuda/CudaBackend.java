package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.BackendProvider;
import dev.tsumugi.engine.kernels.EmbeddingTable;
import dev.tsumugi.engine.kernels.Kernels;
import dev.tsumugi.engine.kernels.LowRankSource;
import dev.tsumugi.engine.kernels.LowRankUpdates;
import dev.tsumugi.engine.kernels.Nf4Matrix;
import dev.tsumugi.engine.kernels.PagedCache;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.kernels.Sizes;
import dev.tsumugi.engine.kernels.TrainingKernels;
import dev.tsumugi.engine.kernels.Weight;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.OwnedMemory;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The first NVIDIA GPU that the process sees ({@code CUDA_VISIBLE_DEVICES} chooses). Weights, cache, adapters and activations live in its memory, quantized weights
 * as they are in their files; the host sends a plan of each batch and fetches logits. It trains too.
 */
public final class CudaBackend implements Backend {
    public static final String NAME = "cuda";

    private final Device device;
    private final Commands commands;
    private final AdapterTier adapters;
    private final CudaKernels kernels;
    private final CudaTrainingKernels training;

    CudaBackend(Device device, Precision precision) {
        this.device = device;
        commands = new Commands(device);
        adapters = new AdapterTier(device);
        kernels = new CudaKernels(device, commands, adapters, precision);
        training = new CudaTrainingKernels(device, commands, kernels);
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public Kernels kernels() {
        return kernels;
    }

    @Override
    public OwnedMemory allocate(long bytes) {
        DeviceMemory memory = new DeviceMemory(device, bytes, commands::flush);
        device.clear(memory.address(), bytes);
        return memory;
    }

    @Override
    public Tensor upload(float[] values) {
        DeviceMemory memory = new DeviceMemory(device, (long) values.length * Float.BYTES, commands::flush);
        try (Arena arena = Arena.ofConfined()) {
            device.upload(arena.allocateFrom(ValueLayout.JAVA_FLOAT, values), memory.address());
        }
        return new Tensor(DType.F32, new Shape(values.length), memory, 0);
    }

    @Override
    public void download(Tensor tensor, float[] values, int count) {
        kernels.download(tensor, values, count);
    }

    @Override
    public void write(Tensor tensor, float[] values) {
        Sizes.require("tensor", tensor, values.length);
        commands.flush();
        device.enter();
        device.synchronize();
        try (Arena arena = Arena.ofConfined()) {
            device.upload(arena.allocateFrom(ValueLayout.JAVA_FLOAT, values), DeviceMemory.address(tensor));
        }
    }

    @Override
    public EmbeddingTable prepareTable(Tensor table) {
        return DeviceMatrix.of(device, table, commands::flush);
    }

    @Override
    public Weight prepare(Tensor matrix) {
        return DeviceMatrix.of(device, matrix, commands::flush);
    }

    @Override
    public @Nullable Weight prepareNf4(Nf4Matrix matrix) {
        return matrix.inputs() % Nf4Planes.TOGETHER == 0 ? DeviceMatrix.of(device, matrix, commands::flush) : null;
    }

    @Override
    public Weight turned(Weight weight) {
        return new TurnedMatrix(CudaKernels.own(weight));
    }

    @Override
    public double frozenBytesPerWeight(DType stored, boolean nf4, boolean coarseForward, boolean coarseGradient) {
        return nf4 ? Nf4Planes.bytesPerWeight() : (double) stored.blockBytes() / stored.blockElements();
    }

    @Override
    public TrainingKernels trainingKernels() {
        return training;
    }

    @Override
    public LowRankUpdates prepareLowRank(List<@Nullable LowRankSource> sources) {
        return new CudaLowRank(device, adapters, sources);
    }

    /** For tests. */
    AdapterTier adapters() {
        return adapters;
    }

    @Override
    public PagedCache newCache(
            int layers, int blocks, int blockTokens, int keyValueHeads, int headSize, DType storage) {
        Sizes.requireCacheSize(layers, blocks, blockTokens, keyValueHeads, headSize, storage);
        CudaKernels.requireHeadSize(headSize);
        long bytes = blocks * cacheBlockBytes(layers, blockTokens, keyValueHeads, headSize, storage);
        return new CudaCache(
                layers, blocks, blockTokens, keyValueHeads, headSize, storage, (DeviceMemory) allocate(bytes));
    }

    @Override
    public long cacheBlockBytes(int layers, int blockTokens, int keyValueHeads, int headSize, DType storage) {
        return CudaCache.blockBytes(layers, blockTokens, keyValueHeads, headSize, storage);
    }

    @Override
    public void close() {
        training.close();
        kernels.close();
        adapters.close();
        commands.close();
        device.close();
    }

    /** Opens {@link CudaBackend} where there is a driver, a GPU, and device code in the jar. */
    public static final class Provider implements BackendProvider {
        @Override
        public String name() {
            return NAME;
        }

        @Override
        public int preference() {
            return 100;
        }

        /** Not before it was measured on a GPU, and not on the one that a generator of the same machine has taken. */
        @Override
        public boolean trainsUnasked() {
            return false;
        }

        @Override
        public Availability availability() {
            return DriverProbe.availability();
        }

        @Override
        public Backend open(int threads, Precision precision) {
            Availability availability = availability();
            if (!availability.available()) {
                throw new IllegalStateException(availability.reason());
            }
            Device device = new Device(CudaDriver.ofThisMachine(), 0, DeviceCode.bytes(), MemoryShare.configured());
            try {
                return new CudaBackend(device, precision);
            } catch (RuntimeException | Error e) {
                device.close();
                throw e;
            }
        }
    }
}
