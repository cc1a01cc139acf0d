package dev.tsumugi.engine.kernels;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * What every vector kernel needs to know of the processor, decided once, and vector access to raw addresses. Operations check sizes before
 * they turn a tensor into an address; behind that the one segment that spans all memory costs no checks of its own.
 */
final class Lanes {
    static final VectorSpecies<Float> F = FloatVector.SPECIES_PREFERRED;
    /** Floats in a vector. */
    static final int L = F.length();
    /** Output rows in a panel of packed weights: two vectors of floats, or one of shorts. */
    static final int PANEL = 2 * L;

    static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, F.vectorShape());
    static final VectorSpecies<Short> S = VectorSpecies.of(short.class, F.vectorShape());
    /** As many shorts as there are floats in {@link #F}. */
    static final VectorSpecies<Short> HALF_S =
            VectorSpecies.of(short.class, VectorShape.forBitSize(F.vectorBitSize() / 2));

    static final long FLOAT_BYTES = Float.BYTES;
    static final long VECTOR_BYTES = F.vectorByteSize();

    /** What a number from {@link #upperHalf} is multiplied by. */
    static final float HALF_UNIT = 0x1p112f;

    private static final IntVector HALF_BITS = IntVector.broadcast(I, 0x8fffe000);

    /** For methods that would exceed what HotSpot inlines: it inlines the Vector API's own methods beyond that, but none of ours. */
    static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

    static final ByteOrder ORDER = ByteOrder.nativeOrder();
    /** Bytes widen to ints in one step only where a quarter of a vector is a vector itself. */
    private static final boolean QUARTERS = F.vectorBitSize() >= 256;

    private static final VectorSpecies<Byte> QUARTER_B = QUARTERS
            ? VectorSpecies.of(byte.class, VectorShape.forBitSize(F.vectorBitSize() / 4))
            : ByteVector.SPECIES_64;

    private static final VectorShuffle<Float> BY_8 = rotation(8);
    private static final VectorShuffle<Float> BY_4 = rotation(4);
    private static final VectorShuffle<Float> BY_2 = rotation(2);
    private static final VectorShuffle<Float> BY_1 = rotation(1);

    private Lanes() {}

    private static VectorShuffle<Float> rotation(int by) {
        return VectorShuffle.fromOp(F, lane -> (lane + by) % L);
    }

    /**
     * The sum of all lanes, always in the same order. The order of {@code reduceLanes} is left open and does change when the code around it
     * is compiled, and with it the last bits of a sum.
     */
    static float sum(FloatVector vector) {
        FloatVector sum = vector;
        for (int by = L / 2; by > 8; by /= 2) {
            sum = sum.add(sum.rearrange(rotation(by)));
        }
        if (L > 8) {
            sum = sum.add(sum.rearrange(BY_8));
        }
        if (L > 4) {
            sum = sum.add(sum.rearrange(BY_4));
        }
        if (L > 2) {
            sum = sum.add(sum.rearrange(BY_2));
        }
        return sum.add(sum.rearrange(BY_1)).lane(0);
    }

    static FloatVector load(long address) {
        return FloatVector.fromMemorySegment(F, ALL, address, ORDER);
    }

    /** The first {@code count} lanes, the others zero; reads no byte behind them. */
    static FloatVector load(long address, int count) {
        return count >= L
                ? load(address)
                : FloatVector.fromMemorySegment(F, ALL, address, ORDER, F.indexInRange(0, count));
    }

    static void store(FloatVector vector, long address) {
        vector.intoMemorySegment(ALL, address, ORDER);
    }

    /** Writes the first {@code count} lanes only; none when it is not positive. */
    static void store(FloatVector vector, long address, int count) {
        if (count >= L) {
            vector.intoMemorySegment(ALL, address, ORDER);
        } else if (count > 0) {
            vector.intoMemorySegment(ALL, address, ORDER, F.indexInRange(0, count));
        }
    }

    static ShortVector loadShorts(long address) {
        return ShortVector.fromMemorySegment(S, ALL, address, ORDER);
    }

    static IntVector loadInts(long address) {
        return IntVector.fromMemorySegment(I, ALL, address, ORDER);
    }

    /** The first {@code count} lanes, the others zero; reads no byte behind them. */
    static IntVector loadInts(long address, int count) {
        return count >= L
                ? loadInts(address)
                : IntVector.fromMemorySegment(I, ALL, address, ORDER, I.indexInRange(0, count));
    }

    /** {@link #L} shorts, sign-extended. */
    static IntVector loadWidened(long address) {
        return (IntVector)
                ShortVector.fromMemorySegment(HALF_S, ALL, address, ORDER).convertShape(VectorOperators.S2I, I, 0);
    }

    static FloatVector loadBFloat16(long address) {
        return loadWidened(address).lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
    }

    /** Finite numbers rounded to bfloat16, ties to even; writes half a vector's bytes. */
    static void storeBFloat16(FloatVector vector, long address) {
        IntVector bits = vector.reinterpretAsInts();
        IntVector odd = bits.lanewise(VectorOperators.LSHR, 16).and(1);
        ((ShortVector) bits.add(odd)
                        .add(0x7fff)
                        .lanewise(VectorOperators.LSHR, 16)
                        .convertShape(VectorOperators.I2S, HALF_S, 0))
                .intoMemorySegment(ALL, address, ORDER);
    }

    /** Finite half-precision numbers. */
    static FloatVector loadFloat16(long address) {
        return lowerHalf(loadWidened(address)).mul(HALF_UNIT);
    }

    /**
     * The upper 16 bits as finite half-precision numbers, subnormals included, in units of {@link #HALF_UNIT}: their bits are moved to the place
     * of fp32's, and the exponent's bias is left to correct.
     */
    static FloatVector upperHalf(IntVector halves) {
        return halves.lanewise(VectorOperators.ASHR, 3)
                .lanewise(VectorOperators.AND, HALF_BITS)
                .reinterpretAsFloats();
    }

    /** As {@link #upperHalf} for the lower 16 bits. */
    static FloatVector lowerHalf(IntVector halves) {
        return upperHalf(halves.lanewise(VectorOperators.LSHL, 16));
    }

    /** {@link #L} signed bytes as floats. */
    static FloatVector loadBytes(long address) {
        if (QUARTERS) {
            return (FloatVector) ByteVector.fromMemorySegment(QUARTER_B, ALL, address, ORDER)
                    .convertShape(VectorOperators.B2F, F, 0);
        }
        FloatVector result = FloatVector.zero(F);
        for (int i = 0; i < L; i++) {
            result = result.withLane(i, ALL.get(ValueLayout.JAVA_BYTE, address + i));
        }
        return result;
    }

    static void store(IntVector vector, long address) {
        vector.intoMemorySegment(ALL, address, ORDER);
    }

    static void store(ShortVector vector, long address) {
        vector.intoMemorySegment(ALL, address, ORDER);
    }

    /** The lowest 8 bits of each lane, as {@link #L} bytes. */
    static void storeLowBytes(IntVector vector, long address) {
        if (QUARTERS) {
            ((ByteVector) vector.convertShape(VectorOperators.I2B, QUARTER_B, 0))
                    .intoMemorySegment(ALL, address, ORDER);
            return;
        }
        for (int i = 0; i < L; i++) {
            setByte(address + i, (byte) vector.lane(i));
        }
    }

    static float getFloat(long address) {
        return ALL.get(ValueLayout.JAVA_FLOAT_UNALIGNED, address);
    }

    static int getInt(long address) {
        return ALL.get(ValueLayout.JAVA_INT_UNALIGNED, address);
    }

    static void setFloat(long address, float value) {
        ALL.set(ValueLayout.JAVA_FLOAT_UNALIGNED, address, value);
    }

    static void setInt(long address, int value) {
        ALL.set(ValueLayout.JAVA_INT_UNALIGNED, address, value);
    }

    static void setShort(long address, short value) {
        ALL.set(ValueLayout.JAVA_SHORT_UNALIGNED, address, value);
    }

    static void setByte(long address, byte value) {
        ALL.set(ValueLayout.JAVA_BYTE, address, value);
    }

    static void copy(long from, long to, long bytes) {
        MemorySegment.copy(ALL, from, ALL, to, bytes);
    }

    /** As many shorts as there are floats in a vector. */
    static void copyHalf(long from, long to) {
        ShortVector.fromMemorySegment(HALF_S, ALL, from, ORDER).intoMemorySegment(ALL, to, ORDER);
    }

    static void copy(long from, float[] to, int count) {
        MemorySegment.copy(ALL, ValueLayout.JAVA_FLOAT_UNALIGNED, from, to, 0, count);
    }

    /** Writes zeros to {@code bytes}, a multiple of 4. */
    static void zero(long address, long bytes) {
        FloatVector zeros = FloatVector.zero(F);
        long done = 0;
        for (; done + VECTOR_BYTES <= bytes; done += VECTOR_BYTES) {
            store(zeros, address + done);
        }
        for (; done < bytes; done += FLOAT_BYTES) {
            setFloat(address + done, 0);
        }
    }
}
