package dev.tsumugi.engine.tensor;

import java.util.Arrays;

/** Row-major dimensions, slowest first. */
public record Shape(long... dimensions) {

    /** @throws IllegalArgumentException for a negative dimension */
    public Shape {
        dimensions = dimensions.clone();
        for (long d : dimensions) {
            if (d < 0) {
                throw new IllegalArgumentException("negative dimension in " + Arrays.toString(dimensions));
            }
        }
    }

    @Override
    public long[] dimensions() {
        return dimensions.clone();
    }

    public int rank() {
        return dimensions.length;
    }

    public long get(int axis) {
        return dimensions[axis];
    }

    /** @throws ArithmeticException when the product does not fit a long */
    public long elements() {
        long product = 1;
        for (long d : dimensions) {
            product = Math.multiplyExact(product, d);
        }
        return product;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Shape shape && Arrays.equals(dimensions, shape.dimensions);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(dimensions);
    }

    @Override
    public String toString() {
        return Arrays.toString(dimensions);
    }
}
