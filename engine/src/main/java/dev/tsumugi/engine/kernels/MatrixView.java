package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.tensor.Tensor;

/**
 * A matrix inside of an F32 tensor: element (r, c) is at {@code offset + r * rowStride + c * columnStride}.
 *
 * @param offset elements from the tensor's first
 */
public record MatrixView(Tensor tensor, long offset, int rows, int columns, long rowStride, long columnStride) {

    /** @throws IllegalArgumentException when an element would lie outside of the tensor */
    public MatrixView {
        long last = rows == 0 || columns == 0 ? 0 : (rows - 1) * rowStride + (columns - 1) * columnStride + 1;
        if (rows < 0 || columns < 0 || offset < 0 || rowStride < 0 || columnStride < 0) {
            throw new IllegalArgumentException("a matrix of " + rows + " x " + columns + " at " + offset);
        }
        Sizes.require("matrix", tensor, offset + last);
    }

    /** Rows one behind another. */
    public static MatrixView of(Tensor tensor, long offset, int rows, int columns) {
        return new MatrixView(tensor, offset, rows, columns, columns, 1);
    }

    public static MatrixView of(Tensor tensor, int rows, int columns) {
        return of(tensor, 0, rows, columns);
    }

    public MatrixView transposed() {
        return new MatrixView(tensor, offset, columns, rows, columnStride, rowStride);
    }

    /** Columns {@code from} until {@code from + count}. */
    public MatrixView columns(int from, int count) {
        if (from < 0 || count < 0 || from + count > columns) {
            throw new IllegalArgumentException(
                    "columns " + from + " to " + (from + count) + " are outside of " + columns);
        }
        return new MatrixView(tensor, offset + from * columnStride, rows, count, rowStride, columnStride);
    }
}
