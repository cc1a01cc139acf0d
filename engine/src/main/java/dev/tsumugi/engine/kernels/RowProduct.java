package dev.tsumugi.engine.kernels;

import static java.lang.invoke.MethodHandles.lookup;

import java.lang.invoke.MethodHandle;
import jdk.incubator.vector.FloatVector;

/**
 * {@code C += A B^T} in fp32 on one thread for few rows of B: all rows are contiguous, and each element is a sum along two of them. Strides are in
 * bytes; callers answer for sizes.
 */
final class RowProduct {
    /** Columns of A and B that are passed at a time, so that the rows of B stay in the first-level cache for all rows of A. */
    private static final int DEPTH = 768;

    private static final int ROWS = 2;
    private static final int COLUMNS = 8;

    /** Vectors of room that a call needs. */
    static final int ROOM = ROWS * COLUMNS;

    private final MethodHandle tile =
            Separate.method(lookup(), "tile", long.class, long.class, long.class, long.class, int.class, long.class);

    /**
     * @param c address of fp32 [m, n]
     * @param a address of fp32 [m, k]
     * @param b address of fp32 [n, k]
     * @param room address of {@link #ROOM} vectors
     */
    void add(long c, long cRow, long a, long aRow, long b, long bRow, int m, int n, int k, long room) {
        for (int from = 0; from < k; from += DEPTH) {
            int depth = Math.min(DEPTH, k - from);
            for (int column = 0; column < n; column += COLUMNS) {
                int columns = Math.min(COLUMNS, n - column);
                for (int row = 0; row < m; row += ROWS) {
                    int rows = Math.min(ROWS, m - row);
                    long at = a + row * aRow + from * Lanes.FLOAT_BYTES;
                    long other = b + column * bRow + from * Lanes.FLOAT_BYTES;
                    // The last row of A is done twice where their number is odd.
                    long second = rows == ROWS ? aRow : 0;
                    if (columns == COLUMNS) {
                        try {
                            tile.invokeExact(at, second, other, bRow, depth & -Lanes.L, room);
                        } catch (Throwable e) {
                            throw Separate.rethrown(e);
                        }
                    } else {
                        cells(at, second, other, bRow, columns, depth & -Lanes.L, room);
                    }
                    int whole = depth & -Lanes.L;
                    for (int r = 0; r < rows; r++) {
                        for (int j = 0; j < columns; j++) {
                            long to = c + (row + r) * cRow + (column + j) * Lanes.FLOAT_BYTES;
                            float sum = Lanes.getFloat(to)
                                    + Lanes.sum(Lanes.load(room + (r * COLUMNS + j) * Lanes.VECTOR_BYTES));
                            for (int i = whole; i < depth; i++) {
                                sum += Lanes.getFloat(at + r * aRow + i * Lanes.FLOAT_BYTES)
                                        * Lanes.getFloat(other + j * bRow + i * Lanes.FLOAT_BYTES);
                            }
                            Lanes.setFloat(to, sum);
                        }
                    }
                }
            }
        }
    }

    /** 2 rows of A by 8 of B: for each pair a vector of sums, to {@code room}. Stored as {@link Lanes#ALL} says. */
    private static void tile(long a, long aRow, long b, long bRow, int k, long room) {
        long v = Lanes.VECTOR_BYTES;
        FloatVector c00 = FloatVector.zero(Lanes.F);
        FloatVector c01 = c00;
        FloatVector c02 = c00;
        FloatVector c03 = c00;
        FloatVector c04 = c00;
        FloatVector c05 = c00;
        FloatVector c06 = c00;
        FloatVector c07 = c00;
        FloatVector c10 = c00;
        FloatVector c11 = c00;
        FloatVector c12 = c00;
        FloatVector c13 = c00;
        FloatVector c14 = c00;
        FloatVector c15 = c00;
        FloatVector c16 = c00;
        FloatVector c17 = c00;
        long at = a;
        long from = b;
        for (int i = 0; i < k; i += Lanes.L) {
            FloatVector a0 = Lanes.load(at);
            FloatVector a1 = Lanes.load(at + aRow);
            FloatVector b0 = Lanes.load(from);
            c00 = a0.fma(b0, c00);
            c10 = a1.fma(b0, c10);
            FloatVector b1 = Lanes.load(from + bRow);
            c01 = a0.fma(b1, c01);
            c11 = a1.fma(b1, c11);
            FloatVector b2 = Lanes.load(from + 2 * bRow);
            c02 = a0.fma(b2, c02);
            c12 = a1.fma(b2, c12);
            FloatVector b3 = Lanes.load(from + 3 * bRow);
            c03 = a0.fma(b3, c03);
            c13 = a1.fma(b3, c13);
            FloatVector b4 = Lanes.load(from + 4 * bRow);
            c04 = a0.fma(b4, c04);
            c14 = a1.fma(b4, c14);
            FloatVector b5 = Lanes.load(from + 5 * bRow);
            c05 = a0.fma(b5, c05);
            c15 = a1.fma(b5, c15);
            FloatVector b6 = Lanes.load(from + 6 * bRow);
            c06 = a0.fma(b6, c06);
            c16 = a1.fma(b6, c16);
            FloatVector b7 = Lanes.load(from + 7 * bRow);
            c07 = a0.fma(b7, c07);
            c17 = a1.fma(b7, c17);
            at += v;
            from += v;
        }
        c00.intoMemorySegment(Lanes.ALL, room, Lanes.ORDER);
        c01.intoMemorySegment(Lanes.ALL, room + v, Lanes.ORDER);
        c02.intoMemorySegment(Lanes.ALL, room + 2 * v, Lanes.ORDER);
        c03.intoMemorySegment(Lanes.ALL, room + 3 * v, Lanes.ORDER);
        c04.intoMemorySegment(Lanes.ALL, room + 4 * v, Lanes.ORDER);
        c05.intoMemorySegment(Lanes.ALL, room + 5 * v, Lanes.ORDER);
        c06.intoMemorySegment(Lanes.ALL, room + 6 * v, Lanes.ORDER);
        c07.intoMemorySegment(Lanes.ALL, room + 7 * v, Lanes.ORDER);
        c10.intoMemorySegment(Lanes.ALL, room + 8 * v, Lanes.ORDER);
        c11.intoMemorySegment(Lanes.ALL, room + 9 * v, Lanes.ORDER);
        c12.intoMemorySegment(Lanes.ALL, room + 10 * v, Lanes.ORDER);
        c13.intoMemorySegment(Lanes.ALL, room + 11 * v, Lanes.ORDER);
        c14.intoMemorySegment(Lanes.ALL, room + 12 * v, Lanes.ORDER);
        c15.intoMemorySegment(Lanes.ALL, room + 13 * v, Lanes.ORDER);
        c16.intoMemorySegment(Lanes.ALL, room + 14 * v, Lanes.ORDER);
        c17.intoMemorySegment(Lanes.ALL, room + 15 * v, Lanes.ORDER);
    }

    /** As {@link #tile} of less than 8 rows of B. */
    private static void cells(long a, long aRow, long b, long bRow, int columns, int k, long room) {
        for (int j = 0; j < columns; j++) {
            FloatVector c0 = FloatVector.zero(Lanes.F);
            FloatVector c1 = c0;
            for (int i = 0; i < k; i += Lanes.L) {
                long at = i * Lanes.FLOAT_BYTES;
                FloatVector b0 = Lanes.load(b + j * bRow + at);
                c0 = b0.fma(Lanes.load(a + at), c0);
                c1 = b0.fma(Lanes.load(a + aRow + at), c1);
            }
            Lanes.store(c0, room + j * Lanes.VECTOR_BYTES);
            Lanes.store(c1, room + (COLUMNS + j) * Lanes.VECTOR_BYTES);
        }
    }
}
