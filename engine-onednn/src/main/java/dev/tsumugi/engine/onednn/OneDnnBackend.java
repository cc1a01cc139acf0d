package dev.tsumugi.engine.onednn;

import static org.bytedeco.dnnl.global.dnnl.dnnl_cpu_isa_avx2_vnni;
import static org.bytedeco.dnnl.global.dnnl.dnnl_cpu_isa_avx512_core_bf16;
import static org.bytedeco.dnnl.global.dnnl.dnnl_cpu_isa_avx512_core_vnni;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.BackendProvider;
import dev.tsumugi.engine.kernels.EmbeddingTable;
import dev.tsumugi.engine.kernels.Kernels;
import dev.tsumugi.engine.kernels.LowRankSource;
import dev.tsumugi.engine.kernels.LowRankUpdates;
import dev.tsumugi.engine.kernels.PackedWeights;
import dev.tsumugi.engine.kernels.PagedCache;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.kernels.RotatedInt8;
import dev.tsumugi.engine.kernels.TrainingKernels;
import dev.tsumugi.engine.kernels.VectorBackend;
import dev.tsumugi.engine.kernels.Weight;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.OwnedMemory;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.management.ManagementFactory;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The processor with oneDNN for products of many rows: prefill, and decoding of many sequences at once. Everything else, and products of few
 * rows, is the {@link VectorBackend}'s, whose compact weights are kept beside the packed ones.
 *
 * <p>With {@link Precision#FAST} products of quantized weights are computed in 8-bit integers ({@link RotatedInt8}) where the processor sums those
 * (VNNI, AMX), except for queries, keys and values; these and those of other weights in bfloat16 (AVX-512 BF16, AMX) with fp32 sums. Otherwise all is fp32. A token's result may
 * then differ in its last digits with the number of rows it is computed among.
 */
public final class OneDnnBackend implements Backend {
    public static final String NAME = "onednn";

    private static final Logger log = LoggerFactory.getLogger(OneDnnBackend.class);
    /** Packed copies may take one part in so many of the machine's memory; further matrices stay with the Vector API. */
    private static final int MEMORY_PART = 4;

    private final VectorBackend vector;
    private final Descriptors descriptors;
    private final Worker[] workers;
    private final LinearByOneDnn linear;
    private final OneDnnKernels kernels;
    private final AttentionByOneDnn attention;
    private final PromptAttention promptAttention;
    private final TrainingKernels training;
    private final Element floats;
    private final Element integers;
    private long packedBytes;
    private boolean toldOfLimit;

    /**
     * @param threads that compute, the caller's included
     * @throws UnsatisfiedLinkError when oneDNN cannot be loaded
     */
    public OneDnnBackend(int threads, Precision precision) {
        OneDnnLibrary library = OneDnnLibrary.load();
        int isa = library.effectiveIsa();
        boolean fast = precision == Precision.FAST;
        floats = fast && has(isa, dnnl_cpu_isa_avx512_core_bf16) ? Element.BF16 : Element.F32;
        integers = fast && (has(isa, dnnl_cpu_isa_avx512_core_vnni) || has(isa, dnnl_cpu_isa_avx2_vnni))
                ? Element.INT8
                : floats;
        log.info(
                "oneDNN multiplies quantized weights in {}, others and those of queries, keys and values in {} (instruction set {})",
                integers,
                floats,
                Integer.toHexString(isa));
        vector = new VectorBackend(threads, precision);
        descriptors = new Descriptors(library);
        workers = new Worker[vector.team().size()];
        for (int i = 0; i < workers.length; i++) {
            workers[i] = new Worker(descriptors);
        }
        linear = new LinearByOneDnn(library, vector.team(), workers);
        kernels = new OneDnnKernels(vector.kernels(), linear);
        attention = new AttentionByOneDnn(library, vector.team(), workers);
        promptAttention = new PromptAttention(library, vector.team(), workers);
        if (floats == Element.BF16) {
            vector.handLongRunsTo(promptAttention);
        }
        training =
                new OneDnnTrainingKernels(vector.trainingKernels(), kernels, floats == Element.BF16 ? attention : null);
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public Kernels kernels() {
        return kernels;
    }

    private static boolean has(int isa, int wanted) {
        return (isa & wanted) == wanted;
    }

    @Override
    public void keepPacked(PackedWeights kept) {
        vector.keepPacked(kept);
    }

    /** In integers where the model's file has rounded the weights to 8 bits or fewer already. */
    @Override
    public Weight prepare(Tensor matrix) {
        boolean rounded = matrix.dtype().isQuantized()
                && RotatedInt8.fits(Math.toIntExact(matrix.shape().get(1)));
        return prepare(matrix, rounded ? integers : floats);
    }

    @Override
    public Weight prepareAttentionInput(Tensor matrix) {
        return prepare(matrix, floats);
    }

    private Weight prepare(Tensor matrix, Element element) {
        Weight streamed = vector.prepare(matrix);
        try {
            long bytes = PackedMatrix.estimatedBytes(matrix, element);
            if (packedBytes + bytes > MemoryLimit.BYTES) {
                tellOfLimit();
                return new OneDnnWeight(streamed, null);
            }
            PackedMatrix packed =
                    PackedMatrix.pack(matrix, element, descriptors, vector.team(), vector.slabs(), workers);
            packedBytes += packed.byteSize();
            return new OneDnnWeight(streamed, packed);
        } catch (RuntimeException | Error e) {
            streamed.close();
            throw e;
        }
    }

    /** Packed alone: training multiplies many rows, and its memory is foretold. */
    @Override
    public Weight prepareForTraining(Tensor matrix, boolean transposed, boolean coarse) {
        long summed = matrix.shape().get(transposed ? 0 : 1);
        Element element = coarse && RotatedInt8.fits(Math.toIntExact(summed)) ? integers : floats;
        return new OneDnnWeight(
                null,
                PackedMatrix.pack(matrix, transposed, element, descriptors, vector.team(), vector.slabs(), workers));
    }

    @Override
    public double trainingBytesPerWeight(boolean coarse) {
        return (coarse ? integers : floats).bytes();
    }

    @Override
    public TrainingKernels trainingKernels() {
        return training;
    }

    private void tellOfLimit() {
        if (!toldOfLimit) {
            toldOfLimit = true;
            log.info(
                    "Packed weights take {} MiB of {} MiB allowed; further matrices stay with the Vector API",
                    packedBytes >> 20,
                    MemoryLimit.BYTES >> 20);
        }
    }

    private static final class MemoryLimit {
        static final long BYTES = ManagementFactory.getPlatformMXBean(com.sun.management.OperatingSystemMXBean.class)
                        .getTotalMemorySize()
                / MEMORY_PART;
    }

    @Override
    public OwnedMemory allocate(long bytes) {
        return vector.allocate(bytes);
    }

    @Override
    public Tensor upload(float[] values) {
        return vector.upload(values);
    }

    @Override
    public void download(Tensor tensor, float[] values, int count) {
        vector.download(tensor, values, count);
    }

    @Override
    public EmbeddingTable prepareTable(Tensor table) {
        return vector.prepareTable(table);
    }

    @Override
    public LowRankUpdates prepareLowRank(List<@Nullable LowRankSource> sources) {
        return vector.prepareLowRank(sources);
    }

    @Override
    public PagedCache newCache(
            int layers, int blocks, int blockTokens, int keyValueHeads, int headSize, DType storage) {
        return vector.newCache(layers, blocks, blockTokens, keyValueHeads, headSize, storage);
    }

    @Override
    public long cacheBlockBytes(int layers, int blockTokens, int keyValueHeads, int headSize, DType storage) {
        return vector.cacheBlockBytes(layers, blockTokens, keyValueHeads, headSize, storage);
    }

    @Override
    public void close() {
        linear.close();
        attention.close();
        promptAttention.close();
        for (Worker worker : workers) {
            worker.close();
        }
        descriptors.close();
        vector.close();
    }

    /** Opens {@link OneDnnBackend} where the native library and the Vector API are there. */
    public static final class Provider implements BackendProvider {
        @Override
        public String name() {
            return NAME;
        }

        @Override
        public int preference() {
            return 20;
        }

        @Override
        public Availability availability() {
            Availability vectors = new VectorBackend.Provider().availability();
            if (!vectors.available()) {
                return vectors;
            }
            if (!OneDnnLibrary.isPresent()) {
                return Availability.no("there is no oneDNN for " + System.getProperty("os.name") + " on "
                        + System.getProperty("os.arch") + " on the class path (it comes with a build on Linux x86_64)");
            }
            try {
                OneDnnLibrary.load();
                return Availability.yes();
            } catch (UnsatisfiedLinkError | ExceptionInInitializerError | NoClassDefFoundError e) {
                return Availability.no("oneDNN cannot be loaded: " + e.getMessage()
                        + "; start Java with --enable-native-access=ALL-UNNAMED, and see that the folder .javacpp in the"
                        + " home folder (or org.bytedeco.javacpp.cachedir) can be written");
            }
        }

        @Override
        public Backend open(int threads, Precision precision) {
            Availability availability = availability();
            if (!availability.available()) {
                throw new IllegalStateException(availability.reason());
            }
            return new OneDnnBackend(threads, precision);
        }
    }
}
