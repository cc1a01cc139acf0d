package dev.tsumugi.engine.constrain;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes the matches of a regular expression that have a number of characters between two bounds: the product of the expression's automaton
 * and a counter. That automaton is bounded like the network it goes into, for counts within counts multiply.
 */
final class LengthBound implements CharEdges {
    private record Edge(CharSet set, int target) {}

    private record Counted(int node, int count) {}

    /** A counted node that is written as {@code node} and whose edges are not yet. */
    private record Open(Counted counted, int node) {}

    private final List<List<Edge>> reads = new ArrayList<>();
    private final List<List<Integer>> jumps = new ArrayList<>();
    private int edges;

    private LengthBound() {}

    /** @param max {@link Regex#UNLIMITED} for none */
    static void write(Regex regex, int min, int max, CharEdges out, int source, int target) {
        boolean minHolds = Regex.shortest(regex) >= min;
        boolean maxHolds = max == Regex.UNLIMITED || Regex.longest(regex) <= max;
        if (minHolds && maxHolds) {
            Regex.write(regex, out, source, target);
            return;
        }
        LengthBound free = new LengthBound();
        int begin = free.node();
        int end = free.node();
        Regex.write(regex, free, begin, end);
        free.product(begin, end, min, maxHolds ? Regex.UNLIMITED : max, out, source, target);
    }

    private void product(int begin, int end, int min, int max, CharEdges out, int source, int target) {
        Map<Counted, Integer> nodes = new HashMap<>();
        List<Open> open = new ArrayList<>();
        nodes.put(new Counted(begin, 0), source);
        open.add(new Open(new Counted(begin, 0), source));
        while (!open.isEmpty()) {
            Open next = open.removeLast();
            Counted at = next.counted();
            int node = next.node();
            if (at.node() == end && at.count() >= min) {
                out.jump(node, target);
            }
            for (int jump : jumps.get(at.node())) {
                out.jump(node, nodeOf(new Counted(jump, at.count()), nodes, open, out));
            }
            // Without an upper bound all counts from the lower one on are alike.
            int count = max == Regex.UNLIMITED ? Math.min(at.count() + 1, min) : at.count() + 1;
            if (max == Regex.UNLIMITED || count <= max) {
                for (Edge edge : reads.get(at.node())) {
                    out.chars(edge.set(), node, nodeOf(new Counted(edge.target(), count), nodes, open, out));
                }
            }
        }
    }

    private static int nodeOf(Counted counted, Map<Counted, Integer> nodes, List<Open> open, CharEdges out) {
        Integer known = nodes.get(counted);
        if (known != null) {
            return known;
        }
        int node = out.node();
        nodes.put(counted, node);
        open.add(new Open(counted, node));
        return node;
    }

    @Override
    public int node() {
        if (reads.size() == Network.MOST_NODES) {
            throw Network.tooLarge();
        }
        reads.add(new ArrayList<>());
        jumps.add(new ArrayList<>());
        return reads.size() - 1;
    }

    @Override
    public void jump(int source, int target) {
        countEdge();
        jumps.get(source).add(target);
    }

    @Override
    public void chars(CharSet set, int source, int target) {
        countEdge();
        reads.get(source).add(new Edge(set, target));
    }

    private void countEdge() {
        if (++edges > Network.MOST_EDGES) {
            throw Network.tooLarge();
        }
    }
}
