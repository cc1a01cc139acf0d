package dev.tsumugi.bench.kernels;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.tensor.Tensor;

/** Holds a kernel's answer to that of the reference: a wrong kernel would be fast too. */
final class Agreement {
    /** The largest of many errors may be so many times what they may be on average. */
    private static final double LARGEST_OF_AVERAGE = 10;

    private Agreement() {}

    /**
     * @param tolerance of the root of the mean squared error, in parts of the root of the mean squared value
     * @throws IllegalStateException when {@code actual} differs by more than that, or somewhere by ten times as much
     */
    static void require(float[] expected, float[] actual, double tolerance) {
        if (expected.length != actual.length || expected.length == 0) {
            throw new IllegalStateException(
                    "wrong answer: %d numbers instead of %d".formatted(actual.length, expected.length));
        }
        double squares = 0;
        double errors = 0;
        for (int i = 0; i < expected.length; i++) {
            squares += (double) expected[i] * expected[i];
            errors += square(actual[i] - expected[i]);
        }
        double allowed = tolerance * Math.sqrt(squares / expected.length);
        double average = Math.sqrt(errors / expected.length);
        // Written so that NaN fails too.
        if (!(average <= allowed)) {
            throw new IllegalStateException(
                    "wrong answer: off by %.3g on average, %.3g are allowed".formatted(average, allowed));
        }
        for (int i = 0; i < expected.length; i++) {
            if (Math.abs(actual[i] - expected[i]) > LARGEST_OF_AVERAGE * allowed) {
                throw new IllegalStateException(
                        "wrong answer: element %d is %s, and %s by the reference; %.3g difference are allowed"
                                .formatted(i, actual[i], expected[i], LARGEST_OF_AVERAGE * allowed));
            }
        }
    }

    private static double square(double value) {
        return value * value;
    }

    /** The first {@code count} values of a tensor. */
    static float[] values(Backend backend, Tensor tensor, int count) {
        float[] values = new float[count];
        backend.download(tensor, values, count);
        return values;
    }
}
