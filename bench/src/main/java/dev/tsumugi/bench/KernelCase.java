package dev.tsumugi.bench;

import dev.tsumugi.bench.kernels.AttentionKernel;
import dev.tsumugi.bench.kernels.FusedMultiplyAdd;
import dev.tsumugi.bench.kernels.LinearKernel;
import dev.tsumugi.bench.kernels.MemoryRead;
import dev.tsumugi.bench.kernels.RowKernels;
import dev.tsumugi.engine.kernels.VectorBackend;
import dev.tsumugi.engine.onednn.OneDnnBackend;
import dev.tsumugi.engine.tensor.DType;
import java.util.Map;

/**
 * A kernel with operands of one size.
 *
 * @param benchmark name of the method that JMH times
 * @param parameters of its class
 * @param callers threads that call it at once, each with operands of its own; a kernel with a team of threads has one caller
 * @param bytes that one call has to move at least, activations included
 * @param operations multiplications, additions and the like of one call
 */
record KernelCase(
        String name, String benchmark, Map<String, Object> parameters, int callers, double bytes, double operations) {
    /** Operands take turns until they are so large together, so that none waits in a cache for its next turn. */
    private static final long STREAMED_BYTES = 128L << 20;

    /** Exponential, addition and division of the sigmoid, and two products. */
    private static final int SWIGLU_OPERATIONS = 5;

    /** Operands that take turns. */
    private static int turns(double bytes) {
        return (int) Math.ceil(STREAMED_BYTES / bytes);
    }

    static KernelCase memoryRead(int threads) {
        return new KernelCase(
                "", method(MemoryRead.class, "read"), Map.of(), threads, MemoryRead.BYTES, MemoryRead.BYTES / 8.0);
    }

    static KernelCase fusedMultiplyAdd(int threads) {
        return new KernelCase(
                "", method(FusedMultiplyAdd.class, "sum"), Map.of(), threads, 0, FusedMultiplyAdd.OPERATIONS);
    }

    /**
     * A product of few rows with weights that come from memory each time.
     *
     * @param dtype of the weights' file, whose bytes count
     */
    static KernelCase gemv(String name, int threads, DType dtype, int outputs, int inputs, int rows) {
        double bytesPerWeight = dtype.blockBytes() / (double) dtype.blockElements();
        int weights = turns((double) outputs * inputs * bytesPerWeight);
        return linear(name, VectorBackend.NAME, threads, dtype, outputs, inputs, rows, bytesPerWeight, weights);
    }

    /**
     * A product of many rows by oneDNN with weights that come from memory each time.
     *
     * @param dtype of the weights' file
     * @param bytesPerWeight in the form it computes from
     */
    static KernelCase gemm(
            String name, int threads, DType dtype, int outputs, int inputs, int rows, double bytesPerWeight) {
        int weights = turns((double) outputs * inputs * bytesPerWeight);
        return linear(name, OneDnnBackend.NAME, threads, dtype, outputs, inputs, rows, bytesPerWeight, weights);
    }

    /** A product by oneDNN whose one weight stays where it is. */
    static KernelCase largeGemm(int threads, DType dtype) {
        return linear("", OneDnnBackend.NAME, threads, dtype, 4096, 2048, 512, 1, 1);
    }

    private static KernelCase linear(
            String name,
            String backend,
            int threads,
            DType dtype,
            int outputs,
            int inputs,
            int rows,
            double bytesPerWeight,
            int weights) {
        double elements = (double) outputs * inputs;
        double bytes = elements * bytesPerWeight;
        Map<String, Object> parameters = Map.of(
                "backendName", backend,
                "threads", threads,
                "dtype", dtype,
                "outputs", outputs,
                "inputs", inputs,
                "rows", rows,
                "weights", weights);
        double activations = 4.0 * rows * (outputs + inputs);
        return new KernelCase(
                name, method(LinearKernel.class, "multiply"), parameters, 1, bytes + activations, 2 * elements * rows);
    }

    /** @param queries of each sequence; its last tokens */
    static KernelCase attention(String name, int threads, int sequences, int queries, int length) {
        long keys = (long) sequences * length * AttentionKernel.KEY_VALUE_HEADS * AttentionKernel.HEAD_SIZE;
        double cached = 2.0 * AttentionKernel.CACHE.bytes(keys);
        double width = AttentionKernel.HEADS * AttentionKernel.HEAD_SIZE;
        double seen = (double) sequences * queries * (length - (queries - 1) / 2.0);
        Map<String, Object> parameters = Map.of(
                "threads", threads,
                "sequences", sequences,
                "queries", queries,
                "length", length,
                "layers", turns(cached));
        return new KernelCase(
                name,
                method(AttentionKernel.class, "attend"),
                parameters,
                1,
                cached + 2 * 4 * sequences * queries * width,
                4 * seen * width);
    }

    static KernelCase rmsNorm(String name, int threads, int rows) {
        double elements = (double) rows * RowKernels.WIDTH;
        return rowKernel(name, "rmsNorm", threads, rows, 8 * elements, 4 * elements);
    }

    static KernelCase swiGlu(String name, int threads, int rows) {
        double elements = (double) rows * RowKernels.FEED_FORWARD_WIDTH;
        return rowKernel(name, "swiGlu", threads, rows, 12 * elements, SWIGLU_OPERATIONS * elements);
    }

    static KernelCase rope(String name, int threads, int rows) {
        double elements = (double) rows * RowKernels.WIDTH;
        return rowKernel(name, "rope", threads, rows, 8 * elements, 3 * elements);
    }

    private static KernelCase rowKernel(
            String name, String operation, int threads, int rows, double bytes, double operations) {
        Map<String, Object> parameters = Map.of("threads", threads, "rows", rows);
        return new KernelCase(name, method(RowKernels.class, operation), parameters, 1, bytes, operations);
    }

    private static String method(Class<?> type, String name) {
        return type.getName() + "." + name;
    }
}
