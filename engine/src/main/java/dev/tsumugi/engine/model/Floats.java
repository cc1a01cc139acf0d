package dev.tsumugi.engine.model;

import dev.tsumugi.engine.quant.Dequantization;
import dev.tsumugi.engine.tensor.Tensor;

/** Small vectors of a model file as floats, whatever their type. */
final class Floats {
    private Floats() {}

    /** @throws IllegalArgumentException when the tensor has another number of elements */
    static float[] of(Tensor vector, int size) {
        if (vector.shape().elements() != size) {
            throw new IllegalArgumentException("expected " + size + " values, found shape " + vector.shape());
        }
        float[] values = new float[size];
        Dequantization.toFloats(vector.dtype(), vector.memory().segment(), vector.offset(), values, 0, size);
        return values;
    }
}
