package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Scalar access to the elements of an F32 tensor in host memory. */
record FloatView(MemorySegment segment) {

    static FloatView of(Tensor tensor) {
        return new FloatView(tensor.segment());
    }

    float get(long index) {
        return segment.getAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, index);
    }

    void set(long index, float value) {
        segment.setAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, index, value);
    }
}
