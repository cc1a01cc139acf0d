package dev.tsumugi.engine.tokenizer;

import java.util.Arrays;

/** A binary heap of longs, smallest first. */
final class LongHeap {
    private long[] values;
    private int size;

    LongHeap(int capacity) {
        values = new long[Math.max(capacity, 4)];
    }

    boolean isEmpty() {
        return size == 0;
    }

    void add(long value) {
        if (size == values.length) {
            values = Arrays.copyOf(values, size * 2);
        }
        int at = size++;
        while (at > 0) {
            int parent = (at - 1) >>> 1;
            if (values[parent] <= value) {
                break;
            }
            values[at] = values[parent];
            at = parent;
        }
        values[at] = value;
    }

    long removeSmallest() {
        long smallest = values[0];
        long last = values[--size];
        int at = 0;
        for (int child = 1; child < size; child = 2 * at + 1) {
            if (child + 1 < size && values[child + 1] < values[child]) {
                child++;
            }
            if (last <= values[child]) {
                break;
            }
            values[at] = values[child];
            at = child;
        }
        values[at] = last;
        return smallest;
    }
}
