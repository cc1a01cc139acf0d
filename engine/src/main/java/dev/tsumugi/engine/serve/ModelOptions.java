package dev.tsumugi.engine.serve;

import dev.tsumugi.engine.kernels.Backends;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.tensor.DType;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * How a model is loaded.
 *
 * @param backend {@code auto}, or the name of one
 * @param threads that compute; 0: one per processor
 * @param cacheStorage of keys and values: F32, or BF16 for half the memory
 * @param packedFolder where packed weights are kept, so that later starts need not pack them; null: nowhere
 */
public record ModelOptions(
        String backend,
        int threads,
        Precision precision,
        DType cacheStorage,
        @Nullable Path packedFolder) {

    /** The best backend of this machine, all processors, 8-bit activations for 4-bit weights, keys and values in 16 bits. */
    public static ModelOptions defaults() {
        return new ModelOptions(Backends.AUTO, 0, Precision.FAST, DType.BF16, null);
    }

    public ModelOptions withBackend(String value) {
        return new ModelOptions(value, threads, precision, cacheStorage, packedFolder);
    }

    public ModelOptions withThreads(int value) {
        return new ModelOptions(backend, value, precision, cacheStorage, packedFolder);
    }

    /** Sets the storage of keys and values too: 32 bits for {@link Precision#EXACT}, else 16. */
    public ModelOptions withPrecision(Precision value) {
        return new ModelOptions(
                backend, threads, value, value == Precision.EXACT ? DType.F32 : DType.BF16, packedFolder);
    }

    public ModelOptions withPackedFolder(Path value) {
        return new ModelOptions(backend, threads, precision, cacheStorage, value);
    }
}
