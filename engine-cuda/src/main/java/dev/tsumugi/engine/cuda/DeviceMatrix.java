package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.EmbeddingTable;
import dev.tsumugi.engine.kernels.Nf4Matrix;
import dev.tsumugi.engine.kernels.Sizes;
import dev.tsumugi.engine.kernels.Weight;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** A matrix [N, K] on the device in its file's own precision: weight of a linear layer, or embedding table. */
final class DeviceMatrix implements Weight, EmbeddingTable {
    /** Each plane begins at a multiple of that. */
    private static final long ALIGNMENT = 256;
    /** Bytes that are repacked and copied at a time. */
    private static final long STRIDE = 16 << 20;

    private final String kernelSuffix;
    private final int outputs;
    private final int inputs;
    private final DeviceMemory memory;
    private final long[] offsets = new long[4];

    private DeviceMatrix(
            Device device, String kernelSuffix, int outputs, int inputs, long[] planes, Runnable beforeFree) {
        this.kernelSuffix = kernelSuffix;
        this.outputs = outputs;
        this.inputs = inputs;
        long bytes = 0;
        for (int i = 0; i < planes.length; i++) {
            offsets[i] = bytes;
            bytes += planes[i] + ALIGNMENT - 1 & -ALIGNMENT;
        }
        memory = new DeviceMemory(device, bytes, beforeFree);
    }

    /** @param matrix [N, K] in host memory */
    static DeviceMatrix of(Device device, Tensor matrix, Runnable beforeFree) {
        Sizes.requireMatrix(matrix);
        Sizes.requireNumbers(matrix.dtype());
        DeviceFormat format = DeviceFormat.of(matrix.dtype());
        int outputs = (int) matrix.shape().get(0);
        int inputs = (int) matrix.shape().get(1);
        DeviceMatrix on = new DeviceMatrix(
                device, format.kernelSuffix(), outputs, inputs, format.planes(outputs, inputs), beforeFree);
        try {
            on.upload(device, matrix, format);
        } catch (RuntimeException | Error e) {
            on.close();
            throw e;
        }
        return on;
    }

    /** @param matrix of a multiple of {@value Nf4Planes#TOGETHER} inputs */
    static DeviceMatrix of(Device device, Nf4Matrix matrix, Runnable beforeFree) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment[] planes = Nf4Planes.of(matrix, arena);
            long[] sizes =
                    Arrays.stream(planes).mapToLong(MemorySegment::byteSize).toArray();
            DeviceMatrix on = new DeviceMatrix(
                    device, Nf4Planes.KERNEL_SUFFIX, matrix.outputs(), matrix.inputs(), sizes, beforeFree);
            try {
                for (int i = 0; i < planes.length; i++) {
                    device.upload(planes[i], on.memory.address() + on.offsets[i]);
                }
            } catch (RuntimeException | Error e) {
                on.close();
                throw e;
            }
            return on;
        }
    }

    private void upload(Device device, Tensor matrix, DeviceFormat format) {
        long perRow = matrix.dtype().bytes(inputs);
        int step = (int) Math.clamp(STRIDE / Math.max(perRow, 1), 1, outputs);
        for (int row = 0; row < outputs; row += step) {
            int rows = Math.min(step, outputs - row);
            long[] before = format.planes(row, inputs);
            long[] sizes = format.planes(rows, inputs);
            MemorySegment[] planes = new MemorySegment[sizes.length];
            try (Arena part = Arena.ofConfined()) {
                for (int i = 0; i < sizes.length; i++) {
                    planes[i] = part.allocate(sizes[i], 64);
                }
                format.repack(matrix, row, rows, planes);
                for (int i = 0; i < sizes.length; i++) {
                    device.upload(planes[i], memory.address() + offsets[i] + before[i]);
                }
            }
        }
    }

    /** As kernels are called that read it. */
    String kernelSuffix() {
        return kernelSuffix;
    }

    /** Adds the addresses of the four planes to a launch. */
    Commands addTo(Commands commands) {
        for (long offset : offsets) {
            commands.add(memory.address() + offset);
        }
        return commands;
    }

    @Override
    public int outputs() {
        return outputs;
    }

    @Override
    public int inputs() {
        return inputs;
    }

    @Override
    public int rows() {
        return outputs;
    }

    @Override
    public int width() {
        return inputs;
    }

    @Override
    public long byteSize() {
        return memory.byteSize();
    }

    @Override
    public void close() {
        memory.close();
    }
}
