package dev.tsumugi.bench.kernels;

import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.HostMemory;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;

/** Operands that are the same in every run. */
final class RandomNumbers {
    private final Random random = new Random(5);

    /** From -1 until 1. */
    float[] floats(int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = random.nextFloat() * 2 - 1;
        }
        return values;
    }

    /**
     * A matrix [outputs, inputs] with any bits as its small integers, and moderate scales.
     *
     * @param dtype BF16, Q4_0, Q4_1, Q4_K, Q6_K or Q8_0
     */
    Tensor matrix(DType dtype, int outputs, int inputs, Arena arena) {
        long elements = (long) outputs * inputs;
        byte[] bits = new byte[Math.toIntExact(dtype.bytes(elements))];
        random.nextBytes(bits);
        MemorySegment memory = arena.allocate(bits.length, 64);
        MemorySegment.copy(bits, 0, memory, ValueLayout.JAVA_BYTE, 0, bits.length);
        int step = dtype.blockBytes();
        for (long block = 0; block < bits.length; block += step) {
            for (int at : numbers(dtype)) {
                float value = (random.nextFloat() - 0.3f) / 50;
                short half = dtype == DType.BF16
                        ? (short) (Float.floatToRawIntBits(value) >>> Short.SIZE)
                        : Float.floatToFloat16(value);
                memory.set(ValueLayout.JAVA_SHORT_UNALIGNED, block + at, half);
            }
        }
        return new Tensor(dtype, new Shape(outputs, inputs), new HostMemory(memory), 0);
    }

    /** Where a block has numbers of 16 bits, which random bits would make infinite now and then. */
    private static int[] numbers(DType dtype) {
        return switch (dtype) {
            case BF16, Q4_0, Q8_0 -> new int[] {0};
            case Q4_1, Q4_K -> new int[] {0, 2};
            case Q6_K -> new int[] {208};
            default -> throw new IllegalArgumentException("no random matrix of type " + dtype);
        };
    }
}
