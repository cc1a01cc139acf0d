package dev.tsumugi.engine.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RotatedInt8Tests {
    private record Rounded(float scale, byte[] q) {
        double times(Rounded other) {
            long sum = 0;
            for (int i = 0; i < q.length; i++) {
                sum += q[i] * other.q[i];
            }
            return (double) scale * other.scale * sum / RotatedInt8.gain(q.length);
        }
    }

    private static Rounded rounded(float[] values) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment x = arena.allocateFrom(ValueLayout.JAVA_FLOAT, values);
            MemorySegment room = arena.allocate(4L * RotatedInt8.room(values.length), 64);
            MemorySegment q = arena.allocate(values.length, 64);
            float scale = RotatedInt8.quantize(x, 0, values.length, room, 0, q.address());
            return new Rounded(scale, q.toArray(ValueLayout.JAVA_BYTE));
        }
    }

    private static float[] values(int count, Random random) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 7, 20, 31, 32, 48, 96, 240, 576, 608, 896, 1536, 4096})
    void a_product_of_turned_rows_is_that_of_the_rows(int length) {
        Random random = new Random(length);
        float[] a = values(length, random);
        float[] b = values(length, random);
        double expected = 0;
        for (int i = 0; i < length; i++) {
            expected += (double) a[i] * b[i];
        }
        assertThat(rounded(a).times(rounded(b))).isCloseTo(expected, within(0.06 * Math.sqrt(length)));
    }

    /** As they are, a scale of 300/127 would leave them one bit, and the error would be 0.7 of the products. */
    @Test
    void one_large_element_leaves_the_others_their_precision() {
        int length = 576;
        Random random = new Random(3);
        double error = 0;
        double all = 0;
        for (int i = 0; i < length; i++) {
            float[] x = values(length, random);
            x[i] = 300;
            float[] w = values(length, random);
            w[i] = 0;
            double expected = 0;
            for (int j = 0; j < length; j++) {
                expected += (double) x[j] * w[j];
            }
            error += Math.pow(rounded(x).times(rounded(w)) - expected, 2);
            all += expected * expected;
        }
        assertThat(Math.sqrt(error / all)).isLessThan(0.115);
    }
}
