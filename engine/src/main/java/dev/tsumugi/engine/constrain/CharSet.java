package dev.tsumugi.engine.constrain;

import java.util.Arrays;

/** An immutable set of Unicode code points without surrogates, as sorted ranges that do not touch. */
final class CharSet {
    static final CharSet NONE = new CharSet(new int[0]);
    static final CharSet ALL = new CharSet(new int[] {0, 0xD7FF, 0xE000, Character.MAX_CODE_POINT});

    /** First and last of each range in turn. */
    private final int[] ranges;

    private CharSet(int[] ranges) {
        this.ranges = ranges;
    }

    static CharSet of(int codePoint) {
        return range(codePoint, codePoint);
    }

    static CharSet of(String characters) {
        int[] pairs = characters
                .codePoints()
                .flatMap(c -> Arrays.stream(new int[] {c, c}))
                .toArray();
        return ofRanges(pairs);
    }

    static CharSet range(int first, int last) {
        return ofRanges(first, last);
    }

    /** @param pairs first and last of each range, in any order, overlapping as they like */
    static CharSet ofRanges(int... pairs) {
        return first(pairs).intersect(ALL);
    }

    private static CharSet first(int[] pairs) {
        long[] sorted = new long[pairs.length / 2];
        for (int i = 0; i < sorted.length; i++) {
            sorted[i] = (long) pairs[2 * i] << 32 | pairs[2 * i + 1];
        }
        Arrays.sort(sorted);
        int[] merged = new int[pairs.length];
        int size = 0;
        for (long range : sorted) {
            int low = (int) (range >>> 32);
            int high = (int) range;
            if (size > 0 && low <= merged[size - 1] + 1) {
                merged[size - 1] = Math.max(merged[size - 1], high);
            } else {
                merged[size++] = low;
                merged[size++] = high;
            }
        }
        return new CharSet(Arrays.copyOf(merged, size));
    }

    CharSet union(CharSet other) {
        int[] both = Arrays.copyOf(ranges, ranges.length + other.ranges.length);
        System.arraycopy(other.ranges, 0, both, ranges.length, other.ranges.length);
        return first(both);
    }

    CharSet intersect(CharSet other) {
        int[] common = new int[ranges.length + other.ranges.length];
        int size = 0;
        for (int i = 0, j = 0; i < ranges.length && j < other.ranges.length; ) {
            int low = Math.max(ranges[i], other.ranges[j]);
            int high = Math.min(ranges[i + 1], other.ranges[j + 1]);
            if (low <= high) {
                common[size++] = low;
                common[size++] = high;
            }
            if (ranges[i + 1] < other.ranges[j + 1]) {
                i += 2;
            } else {
                j += 2;
            }
        }
        return new CharSet(Arrays.copyOf(common, size));
    }

    CharSet complement() {
        int[] gaps = new int[ranges.length + 2];
        int size = 0;
        int next = 0;
        for (int i = 0; i < ranges.length; i += 2) {
            if (ranges[i] > next) {
                gaps[size++] = next;
                gaps[size++] = ranges[i] - 1;
            }
            next = ranges[i + 1] + 1;
        }
        if (next <= Character.MAX_CODE_POINT) {
            gaps[size++] = next;
            gaps[size++] = Character.MAX_CODE_POINT;
        }
        return new CharSet(Arrays.copyOf(gaps, size)).intersect(ALL);
    }

    CharSet minus(CharSet other) {
        return intersect(other.complement());
    }

    boolean isEmpty() {
        return ranges.length == 0;
    }

    /** The ranges, first and last in turn. */
    int[] ranges() {
        return ranges.clone();
    }
}
