package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.OwnedMemory;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** What backends share whose memory is that of this process. */
abstract class HostBackend implements Backend {

    @Override
    public final OwnedMemory allocate(long bytes) {
        return new ArenaMemory(bytes);
    }

    @Override
    public final Tensor upload(float[] values) {
        Tensor tensor = allocate(DType.F32, values.length);
        MemorySegment.copy(values, 0, tensor.segment(), ValueLayout.JAVA_FLOAT, 0, values.length);
        return tensor;
    }

    @Override
    public final void download(Tensor tensor, float[] values, int count) {
        Sizes.require("tensor", tensor, count);
        if (values.length < count) {
            throw new IllegalArgumentException(values.length + " floats cannot take " + count);
        }
        MemorySegment.copy(tensor.segment(), ValueLayout.JAVA_FLOAT_UNALIGNED, 0, values, 0, count);
    }

    @Override
    public final EmbeddingTable prepareTable(Tensor table) {
        return new HostTable(table);
    }
}
