package dev.tsumugi.engine.kernels;

import static java.lang.invoke.MethodHandles.lookup;

import java.lang.invoke.MethodHandle;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/** The largest element of a row of logits: each lane finds its own in one pass, and then they are compared. */
final class RowMaximum {
    private static final IntVector STEP = IntVector.broadcast(Lanes.I, Lanes.L);
    private static final IntVector MAGNITUDE = IntVector.broadcast(Lanes.I, 0x7fffffff);
    private static final int INFINITY = 0x7f800000;
    /**
     * Vectors of room: of each lane the largest and the second largest element, as an int the place of the former, and the largest bits of an
     * element without its sign, by which one that is no number is noticed.
     */
    private static final int ROOM = 4;

    private final MethodHandle scan = Separate.method(lookup(), "scan", long.class, int.class, long.class);

    /** As {@link Kernels#largest} for row {@code row} at {@code x}. */
    void find(int[] places, float[] leads, int row, long x, int width, Scratch scratch) {
        long room = scratch.address(ROOM * Lanes.VECTOR_BYTES);
        int whole = Lanes.F.loopBound(width);
        try {
            scan.invokeExact(x, whole, room);
        } catch (Throwable e) {
            throw Separate.rethrown(e);
        }
        int magnitude = 0;
        int place = -1;
        float first = Float.NEGATIVE_INFINITY;
        float second = Float.NEGATIVE_INFINITY;
        for (int lane = 0; lane < Lanes.L && whole > 0; lane++) {
            long of = room + lane * Lanes.FLOAT_BYTES;
            float value = Lanes.getFloat(of);
            float next = Lanes.getFloat(of + Lanes.VECTOR_BYTES);
            int at = Lanes.getInt(of + 2 * Lanes.VECTOR_BYTES);
            magnitude = Math.max(magnitude, Lanes.getInt(of + 3 * Lanes.VECTOR_BYTES));
            if (value > first || value == first && at < place) {
                second = Math.max(first, next);
                first = value;
                place = at;
            } else {
                second = Math.max(second, value);
            }
        }
        for (int i = whole; i < width; i++) {
            float value = Lanes.getFloat(x + i * Lanes.FLOAT_BYTES);
            magnitude = Math.max(magnitude, Float.floatToRawIntBits(value) & 0x7fffffff);
            if (value > first) {
                second = first;
                first = value;
                place = i;
            } else if (value > second) {
                second = value;
            }
        }
        boolean finite = magnitude <= INFINITY && Float.isFinite(first);
        places[row] = finite ? place : -1;
        leads[row] = finite ? first - second : 0;
    }

    /** Fills the room from the first {@code count} elements, a multiple of the lanes. */
    private static void scan(long x, int count, long room) {
        FloatVector first = FloatVector.broadcast(Lanes.F, Float.NEGATIVE_INFINITY);
        FloatVector second = first;
        IntVector place = IntVector.zero(Lanes.I).addIndex(1);
        IntVector here = place;
        IntVector magnitude = IntVector.zero(Lanes.I);
        for (int i = 0; i < count; i += Lanes.L) {
            FloatVector value =
                    FloatVector.fromMemorySegment(Lanes.F, Lanes.ALL, x + i * Lanes.FLOAT_BYTES, Lanes.ORDER);
            magnitude = magnitude.max(value.reinterpretAsInts().and(MAGNITUDE));
            VectorMask<Float> larger = value.compare(VectorOperators.GT, first);
            second = second.max(first.min(value));
            place = place.blend(here, larger.cast(Lanes.I));
            first = first.max(value);
            here = here.add(STEP);
        }
        first.intoMemorySegment(Lanes.ALL, room, Lanes.ORDER);
        second.intoMemorySegment(Lanes.ALL, room + Lanes.VECTOR_BYTES, Lanes.ORDER);
        place.intoMemorySegment(Lanes.ALL, room + 2 * Lanes.VECTOR_BYTES, Lanes.ORDER);
        magnitude.intoMemorySegment(Lanes.ALL, room + 3 * Lanes.VECTOR_BYTES, Lanes.ORDER);
    }
}
