package dev.tsumugi.engine.model;

import dev.tsumugi.engine.tensor.HostMemory;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Takes apart GPT-NeoX's fused matrix, whose rows are q, k and v of head 0, then of head 1, and so on. */
final class FusedQueryKeyValue {
    private FusedQueryKeyValue() {}

    /** Query, key and value parts in this order. */
    static final int PARTS = 3;

    /**
     * The rows of one part as a matrix of their own.
     *
     * @param fused [H * 3 * D, K], of any type with whole rows
     * @param part 0 query, 1 key, 2 value
     * @param arena of the copy
     * @return [H * D, K]
     */
    static Tensor part(Tensor fused, int part, int heads, int headSize, Arena arena) {
        long inputs = fused.shape().get(1);
        long headBytes = fused.dtype().bytes(inputs) * headSize;
        MemorySegment from = fused.segment();
        MemorySegment to = arena.allocate(headBytes * heads, 64);
        for (int h = 0; h < heads; h++) {
            MemorySegment.copy(from, (PARTS * (long) h + part) * headBytes, to, h * headBytes, headBytes);
        }
        return new Tensor(fused.dtype(), new Shape((long) heads * headSize, inputs), new HostMemory(to), 0);
    }

    /**
     * The same for the bias.
     *
     * @param fused [H * 3 * D]
     * @return [H * D]
     */
    static float[] part(float[] fused, int part, int heads, int headSize) {
        float[] values = new float[heads * headSize];
        for (int h = 0; h < heads; h++) {
            System.arraycopy(fused, (PARTS * h + part) * headSize, values, h * headSize, headSize);
        }
        return values;
    }
}
