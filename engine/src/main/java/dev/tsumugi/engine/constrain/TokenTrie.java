package dev.tsumugi.engine.constrain;

import java.util.Arrays;
import java.util.List;

/**
 * Tokens by their bytes: nodes in the order of a walk, parents first, each with the place where the walk goes on when everything below it
 * is ruled out.
 */
final class TokenTrie {
    private final int deepest;
    private final int size;
    private byte[] label = new byte[1024];
    private int[] depth = new int[1024];
    private int[] skip = new int[1024];

    /** The token that ends at a node, or -1. */
    private int[] token = new int[1024];

    /** [V] the next token with the same bytes, or -1. */
    private final int[] twin;

    record Token(int id, byte[] bytes) {}

    /** @param vocabulary an id above all of those in {@code tokens} */
    TokenTrie(List<Token> tokens, int vocabulary) {
        twin = new int[vocabulary];
        Arrays.fill(twin, -1);
        Token[] sorted = tokens.toArray(Token[]::new);
        Arrays.sort(sorted, (a, b) -> Arrays.compareUnsigned(a.bytes(), b.bytes()));
        int nodes = 0;
        int longest = 0;
        for (Token t : sorted) {
            longest = Math.max(longest, t.bytes().length);
        }
        int[] open = new int[longest + 1];
        int openCount = 0;
        byte[] previous = {};
        for (Token t : sorted) {
            byte[] bytes = t.bytes();
            int common = Arrays.mismatch(previous, bytes);
            if (common < 0) {
                twin[t.id()] = token[nodes - 1];
                token[nodes - 1] = t.id();
                continue;
            }
            while (openCount > common) {
                skip[open[--openCount]] = nodes;
            }
            for (int i = common; i < bytes.length; i++) {
                grow(nodes);
                label[nodes] = bytes[i];
                depth[nodes] = i;
                token[nodes] = -1;
                open[openCount++] = nodes++;
            }
            token[nodes - 1] = t.id();
            previous = bytes;
        }
        while (openCount > 0) {
            skip[open[--openCount]] = nodes;
        }
        size = nodes;
        deepest = longest;
    }

    private void grow(int nodes) {
        if (nodes == label.length) {
            label = Arrays.copyOf(label, nodes * 2);
            depth = Arrays.copyOf(depth, nodes * 2);
            skip = Arrays.copyOf(skip, nodes * 2);
            token = Arrays.copyOf(token, nodes * 2);
        }
    }

    /** Sets the bits of all tokens that can be read from {@code start}. */
    void allow(Automaton automaton, ConstraintState start, long[] words) {
        ConstraintState[] path = new ConstraintState[deepest + 1];
        path[0] = start;
        for (int node = 0; node < size; ) {
            ConstraintState next = automaton.step(path[depth[node]], label[node] & 0xFF);
            if (next.isDead()) {
                node = skip[node];
                continue;
            }
            for (int id = token[node]; id >= 0; id = twin[id]) {
                words[id >> 6] |= 1L << id;
            }
            path[depth[node] + 1] = next;
            node++;
        }
    }
}
