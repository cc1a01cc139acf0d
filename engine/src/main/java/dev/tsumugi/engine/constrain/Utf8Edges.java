package dev.tsumugi.engine.constrain;

import java.util.HashMap;
import java.util.Map;

/**
 * Writes characters into a network as their UTF-8 bytes. A range of characters becomes a few sequences of byte ranges (Unicode standard,
 * table 3-6); sequences that end alike share their ends.
 */
final class Utf8Edges implements CharEdges {
    private static final int[] LAST_OF_LENGTH = {0x7F, 0x7FF, 0xFFFF, Character.MAX_CODE_POINT};

    private final Network network;
    private final CharSet writable;
    private final Map<Suffix, Integer> suffixes = new HashMap<>();

    private record Suffix(int low, int high, int target) {}

    /** @param writable characters that the vocabulary can write; others are left out */
    Utf8Edges(Network network, CharSet writable) {
        this.network = network;
        this.writable = writable;
    }

    @Override
    public int node() {
        return network.node();
    }

    @Override
    public void jump(int source, int target) {
        network.jump(source, target);
    }

    @Override
    public void chars(CharSet set, int source, int target) {
        int[] ranges = set.intersect(writable).ranges();
        if (ranges.length == 0) {
            network.emptyEdge();
        }
        for (int i = 0; i < ranges.length; i += 2) {
            range(ranges[i], ranges[i + 1], source, target);
        }
    }

    void text(String text, int source, int target) {
        int at = source;
        int[] codePoints = text.codePoints().toArray();
        for (int i = 0; i < codePoints.length; i++) {
            int next = i == codePoints.length - 1 ? target : node();
            chars(CharSet.of(codePoints[i]), at, next);
            at = next;
        }
        if (codePoints.length == 0) {
            jump(source, target);
        }
    }

    /** Splits until all characters of a range have the same length and differ in whole last bytes only. */
    private void range(int low, int high, int source, int target) {
        int length = 1;
        while (low > LAST_OF_LENGTH[length - 1]) {
            length++;
        }
        if (high > LAST_OF_LENGTH[length - 1]) {
            range(low, LAST_OF_LENGTH[length - 1], source, target);
            range(LAST_OF_LENGTH[length - 1] + 1, high, source, target);
            return;
        }
        for (int tail = 1; tail < length; tail++) {
            int mask = (1 << 6 * tail) - 1;
            if ((low & ~mask) != (high & ~mask)) {
                int cut = (low & mask) != 0 ? low | mask : (high & mask) != mask ? (high & ~mask) - 1 : -1;
                if (cut >= 0) {
                    range(low, cut, source, target);
                    range(cut + 1, high, source, target);
                    return;
                }
            }
        }
        sequence(low, high, length, source, target);
    }

    private void sequence(int low, int high, int length, int source, int target) {
        int node = target;
        for (int tail = 0; tail < length - 1; tail++) {
            int first = 0x80 | low >> 6 * tail & 0x3F;
            int last = 0x80 | high >> 6 * tail & 0x3F;
            node = suffix(new Suffix(first, last, node));
        }
        int shift = 6 * (length - 1);
        int lead = length == 1 ? 0 : 0xF00 >> length & 0xFF;
        network.bytes(source, lead | low >> shift, lead | high >> shift, node);
    }

    private int suffix(Suffix suffix) {
        Integer known = suffixes.get(suffix);
        if (known != null) {
            return known;
        }
        int node = network.node();
        network.bytes(node, suffix.low(), suffix.high(), suffix.target());
        suffixes.put(suffix, node);
        return node;
    }
}
