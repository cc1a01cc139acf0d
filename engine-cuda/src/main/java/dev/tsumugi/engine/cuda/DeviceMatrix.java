package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.EmbeddingTable;
import dev.tsumugi.engine.kernels.Sizes;
import dev.tsumugi.engine.kernels.Weight;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A matrix [N, K] on the device in its file's own precision: weight of a linear layer, or embedding table. */
final class DeviceMatrix implements Weight, EmbeddingTable {
    /** Each plane begins at a multiple of that. */
    private static final long ALIGNMENT = 256;
    /** Bytes that are repacked and copied at a time. */
    private static final long STRIDE = 16 << 20;

    private final DeviceFormat format;
    private final int outputs;
    private final int inputs;
    private final DeviceMemory memory;
    private final long[] offsets = new long[4];

    /** @param matrix [N, K] in host memory */
    DeviceMatrix(Device device, Tensor matrix, Runnable beforeFree) {
        Sizes.requireMatrix(matrix);
        Sizes.requireNumbers(matrix.dtype());
        format = DeviceFormat.of(matrix.dtype());
        outputs = (int) matrix.shape().get(0);
        inputs = (int) matrix.shape().get(1);
        long[] planes = format.planes(outputs, inputs);
        long bytes = 0;
        for (int i = 0; i < planes.length; i++) {
            offsets[i] = bytes;
            bytes += planes[i] + ALIGNMENT - 1 & -ALIGNMENT;
        }
        memory = new DeviceMemory(device, bytes, beforeFree);
        try {
            upload(device, matrix);
        } catch (RuntimeException | Error e) {
            memory.close();
            throw e;
        }
    }

    private void upload(Device device, Tensor matrix) {
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

    DeviceFormat format() {
        return format;
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
