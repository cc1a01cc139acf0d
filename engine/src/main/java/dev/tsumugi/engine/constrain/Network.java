package dev.tsumugi.engine.constrain;

import java.util.Arrays;

/**
 * A language under construction: nodes joined by edges that read a byte, edges that read nothing, and edges that read what another rule
 * reads. A rule is a pair of nodes, its start and its end; rules may call each other and themselves.
 */
final class Network {
    /** Enough for a text of 16,384 counted characters beside a large schema; some 20 MB while it is built. */
    static final int MOST_NODES = 100_000;

    static final int MOST_EDGES = 1_000_000;

    /** The rule that is the whole language. */
    static final int MAIN = 0;

    static final int JUMP = -1;
    static final int CALL = -2;

    private int nodes;
    private int edges;
    private int emptyEdges;
    private int rules;
    private int[] from = new int[256];
    private int[] low = new int[256];
    private int[] high = new int[256];
    private int[] to = new int[256];
    private int[] starts = new int[8];
    private int[] ends = new int[8];

    Network() {
        rule();
    }

    int node() {
        if (nodes == MOST_NODES) {
            throw tooLarge();
        }
        return nodes++;
    }

    /** A new rule, whose start and end the caller joins. */
    int rule() {
        if (rules == starts.length) {
            starts = Arrays.copyOf(starts, rules * 2);
            ends = Arrays.copyOf(ends, rules * 2);
        }
        starts[rules] = node();
        ends[rules] = node();
        return rules++;
    }

    int start(int rule) {
        return starts[rule];
    }

    int end(int rule) {
        return ends[rule];
    }

    /** Reads one byte from {@code first} to {@code last}. */
    void bytes(int source, int first, int last, int target) {
        edge(source, first, last, target);
    }

    /** Reads nothing. */
    void jump(int source, int target) {
        edge(source, JUMP, 0, target);
    }

    /** Reads what {@code rule} reads. */
    void call(int source, int rule, int target) {
        edge(source, CALL, rule, target);
    }

    /** Counts an edge that reads nothing which can be written: finding that out costs as much as writing it. */
    void emptyEdge() {
        emptyEdges++;
        requireRoom();
    }

    private void requireRoom() {
        if (edges + emptyEdges >= MOST_EDGES) {
            throw tooLarge();
        }
    }

    private void edge(int source, int first, int last, int target) {
        requireRoom();
        if (edges == from.length) {
            from = Arrays.copyOf(from, edges * 2);
            low = Arrays.copyOf(low, edges * 2);
            high = Arrays.copyOf(high, edges * 2);
            to = Arrays.copyOf(to, edges * 2);
        }
        from[edges] = source;
        low[edges] = first;
        high[edges] = last;
        to[edges++] = target;
    }

    static ConstraintException tooLarge() {
        return new ConstraintException("The constraint is too large: it needs more than " + MOST_NODES + " states or "
                + MOST_EDGES + " transitions. Lower counts such as {1000}, maxLength or maxItems, or split it.");
    }

    int nodes() {
        return nodes;
    }

    int edges() {
        return edges;
    }

    int rules() {
        return rules;
    }

    int from(int edge) {
        return from[edge];
    }

    /** The first byte, or {@link #JUMP} or {@link #CALL}. */
    int low(int edge) {
        return low[edge];
    }

    /** The last byte, or the rule of a call. */
    int high(int edge) {
        return high[edge];
    }

    int to(int edge) {
        return to[edge];
    }

    /** [nodes] whether the end of a node's own rule can be reached from it; where not, nothing that passes it can ever be finished. */
    boolean[] productive() {
        int[][] entering = edgesBy(to, nodes, false);
        int[][] calling = edgesBy(high, rules, true);
        int[] ruleOfStart = new int[nodes];
        Arrays.fill(ruleOfStart, -1);
        boolean[] productive = new boolean[nodes];
        int[] queue = new int[nodes];
        int size = 0;
        for (int rule = 0; rule < rules; rule++) {
            ruleOfStart[starts[rule]] = rule;
            productive[ends[rule]] = true;
            queue[size++] = ends[rule];
        }
        for (int i = 0; i < size; i++) {
            int node = queue[i];
            for (int edge : entering[node]) {
                size = reach(edge, productive, queue, size);
            }
            if (ruleOfStart[node] >= 0) {
                for (int edge : calling[ruleOfStart[node]]) {
                    size = reach(edge, productive, queue, size);
                }
            }
        }
        return productive;
    }

    private int reach(int edge, boolean[] productive, int[] queue, int size) {
        boolean open = productive[to[edge]] && (low[edge] != CALL || productive[starts[high[edge]]]);
        if (open && !productive[from[edge]]) {
            productive[from[edge]] = true;
            queue[size++] = from[edge];
        }
        return size;
    }

    private int[][] edgesBy(int[] key, int keys, boolean callsOnly) {
        int[] counts = new int[keys];
        for (int edge = 0; edge < edges; edge++) {
            if (!callsOnly || low[edge] == CALL) {
                counts[key[edge]]++;
            }
        }
        int[][] grouped = new int[keys][];
        for (int i = 0; i < keys; i++) {
            grouped[i] = new int[counts[i]];
        }
        for (int edge = 0; edge < edges; edge++) {
            if (!callsOnly || low[edge] == CALL) {
                grouped[key[edge]][--counts[key[edge]]] = edge;
            }
        }
        return grouped;
    }
}
