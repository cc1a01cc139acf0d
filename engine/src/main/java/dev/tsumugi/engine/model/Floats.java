package dev.tsumugi.engine.model;

import dev.tsumugi.engine.kernels.Widening;
import dev.tsumugi.engine.tensor.Shape;
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
        Widening.row(new Tensor(vector.dtype(), new Shape(1, size), vector.memory(), vector.offset()), 0, values);
        return values;
    }
}
