package dev.tsumugi.engine.tokenizer;

import java.util.Arrays;

/** A hash map from non-negative longs to non-negative ints, open addressing with linear probing; {@code -1} stands for absent. */
final class LongToIntMap {
    private static final long FREE = -1;

    private long[] keys;
    private int[] values;
    private int size;

    LongToIntMap(int expected) {
        int capacity = Integer.highestOneBit(Math.max(expected, 8) * 2 - 1) * 2;
        keys = new long[capacity];
        values = new int[capacity];
        Arrays.fill(keys, FREE);
    }

    int get(long key) {
        int mask = keys.length - 1;
        for (int slot = hash(key) & mask; ; slot = (slot + 1) & mask) {
            if (keys[slot] == key) {
                return values[slot];
            }
            if (keys[slot] == FREE) {
                return -1;
            }
        }
    }

    /** Keeps the first value that is put for a key. */
    void putIfAbsent(long key, int value) {
        int mask = keys.length - 1;
        int slot = hash(key) & mask;
        while (keys[slot] != FREE) {
            if (keys[slot] == key) {
                return;
            }
            slot = (slot + 1) & mask;
        }
        keys[slot] = key;
        values[slot] = value;
        if (++size * 2 > keys.length) {
            grow();
        }
    }

    private void grow() {
        LongToIntMap larger = new LongToIntMap(keys.length);
        for (int slot = 0; slot < keys.length; slot++) {
            if (keys[slot] != FREE) {
                larger.putIfAbsent(keys[slot], values[slot]);
            }
        }
        keys = larger.keys;
        values = larger.values;
    }

    private static int hash(long key) {
        long mixed = key * 0x9E3779B97F4A7C15L;
        return (int) (mixed ^ (mixed >>> 32));
    }
}
