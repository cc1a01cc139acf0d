package dev.tsumugi.engine.train;

import dev.tsumugi.engine.kernels.Backends;

/**
 * What of this machine training may use; nothing of it changes what is learned beyond rounding.
 *
 * @param backend {@code auto}, or the name of one
 * @param threads that compute; 0: one per processor
 * @param memoryBytes that training may take, as {@link MemoryForecast#total} counts it; layers are computed twice where that saves enough.
 *     0: any
 */
public record TrainingResources(String backend, int threads, long memoryBytes) {

    /** The best backend, all processors, any memory. */
    public static TrainingResources defaults() {
        return new TrainingResources(Backends.AUTO, 0, 0);
    }

    public TrainingResources withThreads(int value) {
        return new TrainingResources(backend, value, memoryBytes);
    }

    public TrainingResources withBackend(String value) {
        return new TrainingResources(value, threads, memoryBytes);
    }

    public TrainingResources withMemoryBytes(long value) {
        return new TrainingResources(backend, threads, value);
    }
}
