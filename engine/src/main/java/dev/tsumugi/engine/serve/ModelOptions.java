package dev.tsumugi.engine.serve;

import dev.tsumugi.engine.kernels.Backends;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.tensor.DType;

/**
 * How a model is loaded.
 *
 * @param backend {@code auto}, or the name of one
 * @param threads that compute; 0: one per processor
 * @param cacheStorage of keys and values: F32, or BF16 for half the memory
 */
public record ModelOptions(String backend, int threads, Precision precision, DType cacheStorage) {

    /** The best backend of this machine, all processors, 8-bit activations for 4-bit weights. */
    public static ModelOptions defaults() {
        return new ModelOptions(Backends.AUTO, 0, Precision.FAST, DType.F32);
    }

    public ModelOptions withBackend(String value) {
        return new ModelOptions(value, threads, precision, cacheStorage);
    }

    public ModelOptions withThreads(int value) {
        return new ModelOptions(backend, value, precision, cacheStorage);
    }

    public ModelOptions withPrecision(Precision value) {
        return new ModelOptions(backend, threads, value, cacheStorage);
    }

    public ModelOptions withCacheStorage(DType value) {
        return new ModelOptions(backend, threads, precision, value);
    }
}
