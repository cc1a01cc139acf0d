package dev.tsumugi.engine.kernels;

import static java.lang.invoke.MethodHandles.lookup;

import java.lang.invoke.MethodHandle;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/**
 * {@code C += A B} in fp32 on one thread, with sums in one order whatever the processor does beside. A may be a transpose: its element (i, k) is
 * at {@code a + i * aRow + k * aColumn}. B's and C's rows are contiguous. All strides are in bytes; callers answer for sizes.
 *
 * <p>A tile of C, {@value #ROWS} rows of {@value #VECTORS} vectors, stays in registers while B's rows stream past; so few rows because HotSpot
 * inlines no more than some 60 vector operations into one method.
 */
public final class FloatProduct {
    static final int ROWS = 3;
    static final int VECTORS = 4;
    /** Rows of a tile of {@link #TALL_VECTORS}, for products of few rows, a multiple of these: adapters have ranks of 8 and 16. */
    private static final int TALL_ROWS = 4;

    static final int TALL_VECTORS = 3;
    private static final int MOST_TALL_ROWS = 8 * TALL_ROWS;
    private static final int TAIL_ROWS = 6;
    /** Rows of B that are passed at a time, so that they stay in the first-level cache for all rows of A. */
    private static final int DEPTH = 128;

    private static final Class<?>[] SLAB = {
        long.class,
        long.class,
        long.class,
        long.class,
        long.class,
        long.class,
        long.class,
        int.class,
        int.class,
        int.class
    };

    private final MethodHandle tiles = Separate.method(lookup(), "tiles", SLAB);
    private final MethodHandle strips = Separate.method(lookup(), "strips", SLAB);
    private final MethodHandle talls = Separate.method(lookup(), "talls", SLAB);
    private final MethodHandle columns = Separate.method(lookup(), "columns", SLAB);

    /**
     * @param c address of fp32 [m, n]
     * @param a address of fp32 [m, k]
     * @param b address of fp32 [k, n]
     */
    public void add(long c, long cRow, long a, long aRow, long aColumn, long b, long bRow, int m, int n, int k) {
        try {
            for (int from = 0; from < k; from += DEPTH) {
                int depth = Math.min(DEPTH, k - from);
                slab(c, cRow, a + from * aColumn, aRow, aColumn, b + from * bRow, bRow, m, n, depth);
            }
        } catch (Throwable e) {
            throw Separate.rethrown(e);
        }
    }

    private void slab(long c, long cRow, long a, long aRow, long aColumn, long b, long bRow, int m, int n, int k)
            throws Throwable {
        boolean few = m <= MOST_TALL_ROWS && m % TALL_ROWS == 0;
        int wide = (few ? TALL_VECTORS : VECTORS) * Lanes.L;
        int whole = n / wide * wide;
        if (whole > 0 && few) {
            talls.invokeExact(c, cRow, a, aRow, aColumn, b, bRow, m, whole, k);
        } else if (whole > 0) {
            int rows = m / ROWS * ROWS;
            if (rows > 0) {
                tiles.invokeExact(c, cRow, a, aRow, aColumn, b, bRow, rows, whole, k);
            }
            if (rows < m) {
                strips.invokeExact(c + rows * cRow, cRow, a + rows * aRow, aRow, aColumn, b, bRow, m - rows, whole, k);
            }
        }
        if (whole < n) {
            long at = whole * Lanes.FLOAT_BYTES;
            columns.invokeExact(c + at, cRow, a, aRow, aColumn, b + at, bRow, m, n - whole, k);
        }
    }

    private static void tiles(
            long c, long cRow, long a, long aRow, long aColumn, long b, long bRow, int m, int n, int k) {
        for (int column = 0; column < n; column += VECTORS * Lanes.L) {
            long at = column * Lanes.FLOAT_BYTES;
            for (int row = 0; row < m; row += ROWS) {
                tile(c + row * cRow + at, cRow, a + row * aRow, aRow, aColumn, b + at, bRow, k);
            }
        }
    }

    private static void strips(
            long c, long cRow, long a, long aRow, long aColumn, long b, long bRow, int m, int n, int k) {
        for (int column = 0; column < n; column += VECTORS * Lanes.L) {
            long at = column * Lanes.FLOAT_BYTES;
            for (int row = 0; row < m; row++) {
                strip(c + row * cRow + at, a + row * aRow, aColumn, b + at, bRow, k);
            }
        }
    }

    private static void talls(
            long c, long cRow, long a, long aRow, long aColumn, long b, long bRow, int m, int n, int k) {
        for (int column = 0; column < n; column += TALL_VECTORS * Lanes.L) {
            long at = column * Lanes.FLOAT_BYTES;
            for (int row = 0; row < m; row += TALL_ROWS) {
                tall(c + row * cRow + at, cRow, a + row * aRow, aRow, aColumn, b + at, bRow, k);
            }
        }
    }

    private static void columns(
            long c, long cRow, long a, long aRow, long aColumn, long b, long bRow, int m, int n, int k) {
        for (int column = 0; column < n; column += Lanes.L) {
            long at = column * Lanes.FLOAT_BYTES;
            VectorMask<Float> mask = Lanes.F.indexInRange(column, n);
            int row = 0;
            for (; row + TAIL_ROWS <= m; row += TAIL_ROWS) {
                column(c + row * cRow + at, cRow, a + row * aRow, aRow, aColumn, b + at, bRow, k, mask);
            }
            for (; row < m; row++) {
                cell(c + row * cRow + at, a + row * aRow, aColumn, b + at, bRow, k, mask);
            }
        }
    }

    /** 3 rows of 4 vectors. */
    private static void tile(long c, long cRow, long a, long aRow, long aColumn, long b, long bRow, int k) {
        long v = Lanes.VECTOR_BYTES;
        FloatVector c00 = Lanes.load(c);
        FloatVector c01 = Lanes.load(c + v);
        FloatVector c02 = Lanes.load(c + 2 * v);
        FloatVector c03 = Lanes.load(c + 3 * v);
        FloatVector c10 = Lanes.load(c + cRow);
        FloatVector c11 = Lanes.load(c + cRow + v);
        FloatVector c12 = Lanes.load(c + cRow + 2 * v);
        FloatVector c13 = Lanes.load(c + cRow + 3 * v);
        FloatVector c20 = Lanes.load(c + 2 * cRow);
        FloatVector c21 = Lanes.load(c + 2 * cRow + v);
        FloatVector c22 = Lanes.load(c + 2 * cRow + 2 * v);
        FloatVector c23 = Lanes.load(c + 2 * cRow + 3 * v);
        long at = a;
        long from = b;
        for (int i = 0; i < k; i++) {
            FloatVector b0 = Lanes.load(from);
            FloatVector b1 = Lanes.load(from + v);
            FloatVector b2 = Lanes.load(from + 2 * v);
            FloatVector b3 = Lanes.load(from + 3 * v);
            FloatVector a0 = FloatVector.broadcast(Lanes.F, Lanes.getFloat(at));
            c00 = a0.fma(b0, c00);
            c01 = a0.fma(b1, c01);
            c02 = a0.fma(b2, c02);
            c03 = a0.fma(b3, c03);
            FloatVector a1 = FloatVector.broadcast(Lanes.F, Lanes.getFloat(at + aRow));
            c10 = a1.fma(b0, c10);
            c11 = a1.fma(b1, c11);
            c12 = a1.fma(b2, c12);
            c13 = a1.fma(b3, c13);
            FloatVector a2 = FloatVector.broadcast(Lanes.F, Lanes.getFloat(at + 2 * aRow));
            c20 = a2.fma(b0, c20);
            c21 = a2.fma(b1, c21);
            c22 = a2.fma(b2, c22);
            c23 = a2.fma(b3, c23);
            at += aColumn;
            from += bRow;
        }
        c00.intoMemorySegment(Lanes.ALL, c, Lanes.ORDER);
        c01.intoMemorySegment(Lanes.ALL, c + v, Lanes.ORDER);
        c02.intoMemorySegment(Lanes.ALL, c + 2 * v, Lanes.ORDER);
        c03.intoMemorySegment(Lanes.ALL, c + 3 * v, Lanes.ORDER);
        c10.intoMemorySegment(Lanes.ALL, c + cRow, Lanes.ORDER);
        c11.intoMemorySegment(Lanes.ALL, c + cRow + v, Lanes.ORDER);
        c12.intoMemorySegment(Lanes.ALL, c + cRow + 2 * v, Lanes.ORDER);
        c13.intoMemorySegment(Lanes.ALL, c + cRow + 3 * v, Lanes.ORDER);
        c20.intoMemorySegment(Lanes.ALL, c + 2 * cRow, Lanes.ORDER);
        c21.intoMemorySegment(Lanes.ALL, c + 2 * cRow + v, Lanes.ORDER);
        c22.intoMemorySegment(Lanes.ALL, c + 2 * cRow + 2 * v, Lanes.ORDER);
        c23.intoMemorySegment(Lanes.ALL, c + 2 * cRow + 3 * v, Lanes.ORDER);
    }

    /** 4 rows of 3 vectors. Results are stored by the Vector API's own method: see {@link Lanes#ALL}. */
    private static void tall(long c, long cRow, long a, long aRow, long aColumn, long b, long bRow, int k) {
        long v = Lanes.VECTOR_BYTES;
        FloatVector c00 = Lanes.load(c);
        FloatVector c01 = Lanes.load(c + v);
        FloatVector c02 = Lanes.load(c + 2 * v);
        FloatVector c10 = Lanes.load(c + cRow);
        FloatVector c11 = Lanes.load(c + cRow + v);
        FloatVector c12 = Lanes.load(c + cRow + 2 * v);
        FloatVector c20 = Lanes.load(c + 2 * cRow);
        FloatVector c21 = Lanes.load(c + 2 * cRow + v);
        FloatVector c22 = Lanes.load(c + 2 * cRow + 2 * v);
        FloatVector c30 = Lanes.load(c + 3 * cRow);
        FloatVector c31 = Lanes.load(c + 3 * cRow + v);
        FloatVector c32 = Lanes.load(c + 3 * cRow + 2 * v);
        long at = a;
        long from = b;
        for (int i = 0; i < k; i++) {
            FloatVector b0 = Lanes.load(from);
            FloatVector b1 = Lanes.load(from + v);
            FloatVector b2 = Lanes.load(from + 2 * v);
            FloatVector a0 = FloatVector.broadcast(Lanes.F, Lanes.getFloat(at));
            c00 = a0.fma(b0, c00);
            c01 = a0.fma(b1, c01);
            c02 = a0.fma(b2, c02);
            FloatVector a1 = FloatVector.broadcast(Lanes.F, Lanes.getFloat(at + aRow));
            c10 = a1.fma(b0, c10);
            c11 = a1.fma(b1, c11);
            c12 = a1.fma(b2, c12);
            FloatVector a2 = FloatVector.broadcast(Lanes.F, Lanes.getFloat(at + 2 * aRow));
            c20 = a2.fma(b0, c20);
            c21 = a2.fma(b1, c21);
            c22 = a2.fma(b2, c22);
            FloatVector a3 = FloatVector.broadcast(Lanes.F, Lanes.getFloat(at + 3 * aRow));
            c30 = a3.fma(b0, c30);
            c31 = a3.fma(b1, c31);
            c32 = a3.fma(b2, c32);
            at += aColumn;
            from += bRow;
        }
        c00.intoMemorySegment(Lanes.ALL, c, Lanes.ORDER);
        c01.intoMemorySegment(Lanes.ALL, c + v, Lanes.ORDER);
        c02.intoMemorySegment(Lanes.ALL, c + 2 * v, Lanes.ORDER);
        c10.intoMemorySegment(Lanes.ALL, c + cRow, Lanes.ORDER);
        c11.intoMemorySegment(Lanes.ALL, c + cRow + v, Lanes.ORDER);
        c12.intoMemorySegment(Lanes.ALL, c + cRow + 2 * v, Lanes.ORDER);
        c20.intoMemorySegment(Lanes.ALL, c + 2 * cRow, Lanes.ORDER);
        c21.intoMemorySegment(Lanes.ALL, c + 2 * cRow + v, Lanes.ORDER);
        c22.intoMemorySegment(Lanes.ALL, c + 2 * cRow + 2 * v, Lanes.ORDER);
        c30.intoMemorySegment(Lanes.ALL, c + 3 * cRow, Lanes.ORDER);
        c31.intoMemorySegment(Lanes.ALL, c + 3 * cRow + v, Lanes.ORDER);
        c32.intoMemorySegment(Lanes.ALL, c + 3 * cRow + 2 * v, Lanes.ORDER);
    }

    /** 1 row of 4 vectors. */
    private static void strip(long c, long a, long aColumn, long b, long bRow, int k) {
        long v = Lanes.VECTOR_BYTES;
        FloatVector c0 = Lanes.load(c);
        FloatVector c1 = Lanes.load(c + v);
        FloatVector c2 = Lanes.load(c + 2 * v);
        FloatVector c3 = Lanes.load(c + 3 * v);
        long at = a;
        long from = b;
        for (int i = 0; i < k; i++) {
            FloatVector a0 = FloatVector.broadcast(Lanes.F, Lanes.getFloat(at));
            c0 = a0.fma(Lanes.load(from), c0);
            c1 = a0.fma(Lanes.load(from + v), c1);
            c2 = a0.fma(Lanes.load(from + 2 * v), c2);
            c3 = a0.fma(Lanes.load(from + 3 * v), c3);
            at += aColumn;
            from += bRow;
        }
        Lanes.store(c0, c);
        Lanes.store(c1, c + v);
        Lanes.store(c2, c + 2 * v);
        Lanes.store(c3, c + 3 * v);
    }

    /** 6 rows of one vector or part of one. */
    private static void column(
            long c, long cRow, long a, long aRow, long aColumn, long b, long bRow, int k, VectorMask<Float> mask) {
        FloatVector c0 = masked(c, mask);
        FloatVector c1 = masked(c + cRow, mask);
        FloatVector c2 = masked(c + 2 * cRow, mask);
        FloatVector c3 = masked(c + 3 * cRow, mask);
        FloatVector c4 = masked(c + 4 * cRow, mask);
        FloatVector c5 = masked(c + 5 * cRow, mask);
        long at = a;
        long from = b;
        for (int i = 0; i < k; i++) {
            FloatVector b0 = masked(from, mask);
            c0 = b0.fma(FloatVector.broadcast(Lanes.F, Lanes.getFloat(at)), c0);
            c1 = b0.fma(FloatVector.broadcast(Lanes.F, Lanes.getFloat(at + aRow)), c1);
            c2 = b0.fma(FloatVector.broadcast(Lanes.F, Lanes.getFloat(at + 2 * aRow)), c2);
            c3 = b0.fma(FloatVector.broadcast(Lanes.F, Lanes.getFloat(at + 3 * aRow)), c3);
            c4 = b0.fma(FloatVector.broadcast(Lanes.F, Lanes.getFloat(at + 4 * aRow)), c4);
            c5 = b0.fma(FloatVector.broadcast(Lanes.F, Lanes.getFloat(at + 5 * aRow)), c5);
            at += aColumn;
            from += bRow;
        }
        c0.intoMemorySegment(Lanes.ALL, c, Lanes.ORDER, mask);
        c1.intoMemorySegment(Lanes.ALL, c + cRow, Lanes.ORDER, mask);
        c2.intoMemorySegment(Lanes.ALL, c + 2 * cRow, Lanes.ORDER, mask);
        c3.intoMemorySegment(Lanes.ALL, c + 3 * cRow, Lanes.ORDER, mask);
        c4.intoMemorySegment(Lanes.ALL, c + 4 * cRow, Lanes.ORDER, mask);
        c5.intoMemorySegment(Lanes.ALL, c + 5 * cRow, Lanes.ORDER, mask);
    }

    private static void cell(long c, long a, long aColumn, long b, long bRow, int k, VectorMask<Float> mask) {
        FloatVector sum = masked(c, mask);
        for (int i = 0; i < k; i++) {
            FloatVector factor = FloatVector.broadcast(Lanes.F, Lanes.getFloat(a + i * aColumn));
            sum = masked(b + i * bRow, mask).fma(factor, sum);
        }
        sum.intoMemorySegment(Lanes.ALL, c, Lanes.ORDER, mask);
    }

    private static FloatVector masked(long address, VectorMask<Float> mask) {
        return FloatVector.fromMemorySegment(Lanes.F, Lanes.ALL, address, Lanes.ORDER, mask);
    }
}
