package dev.tsumugi.engine.tokenizer;

/** A set of strings, each with a value, walked one UTF-16 unit at a time. */
final class CharTrie {
    static final int ROOT = 0;
    static final int NONE = -1;

    private final LongToIntMap edges;
    private final IntTable values = new IntTable();
    private int nodes = 1;

    CharTrie(int expectedNodes) {
        edges = new LongToIntMap(expectedNodes);
    }

    void put(String key, int value) {
        int node = ROOT;
        for (int i = 0; i < key.length(); i++) {
            int next = child(node, key.charAt(i));
            if (next == NONE) {
                next = nodes++;
                edges.putIfAbsent(edge(node, key.charAt(i)), next);
            }
            node = next;
        }
        values.set(node, value);
    }

    /** The node behind {@code node} along {@code unit}, or {@link #NONE}. */
    int child(int node, char unit) {
        return edges.get(edge(node, unit));
    }

    /** The value of the string that ends in {@code node}, or {@link #NONE}. */
    int value(int node) {
        return values.get(node);
    }

    private static long edge(int node, char unit) {
        return (long) node << 16 | unit;
    }

    /** Values by node, {@link #NONE} where unset. */
    private static final class IntTable {
        private int[] table = new int[0];

        int get(int index) {
            return index < table.length ? table[index] - 1 : NONE;
        }

        void set(int index, int value) {
            if (index >= table.length) {
                table = java.util.Arrays.copyOf(table, Math.max(index + 1, table.length * 2));
            }
            table[index] = value + 1;
        }
    }
}
