package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Rows of host matrices of any type as floats. */
public final class Widening {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private Widening() {}

    /**
     * Row {@code row} of {@code matrix} as floats.
     *
     * @param out [K]
     */
    public static void row(Tensor matrix, int row, float[] out) {
        int width = (int) matrix.shape().get(1);
        long rowBytes = matrix.dtype().bytes(width);
        MemorySegment bytes = matrix.memory().segment().asSlice(matrix.offset() + row * rowBytes, rowBytes);
        switch (matrix.dtype()) {
            case F32 -> MemorySegment.copy(bytes, FLOAT, 0, out, 0, width);
            case F16 -> {
                for (int k = 0; k < width; k++) {
                    out[k] = Float.float16ToFloat(bytes.getAtIndex(SHORT, k));
                }
            }
            case BF16 -> {
                for (int k = 0; k < width; k++) {
                    out[k] = Float.intBitsToFloat(bytes.getAtIndex(SHORT, k) << 16);
                }
            }
            default -> throw new IllegalArgumentException("weights of type " + matrix.dtype() + " are not supported");
        }
    }
}
