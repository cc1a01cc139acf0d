package dev.tsumugi.engine.constrain;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Reads bytes by a finished {@link Network}: a state is the set of all places in which a reader of the text so far may be, a place being a
 * node and the calls that are open around it. States, and what follows them by each class of bytes, are made when they are first asked for,
 * so rules may call themselves to any depth. (Subset construction of finite automata, with stacks as in a recursive transition network;
 * Woods 1970.)
 */
final class Automaton {
    /** Memory that states and masks of one automaton may take before it starts anew. */
    private static final long MOST_BYTES = 8L << 20;

    private static final long BYTES_A_PLACE = 64;

    /** What entering a place costs, in edges looked at. */
    private static final int WORK_A_PLACE = 64;

    /** What a step that is not known yet costs beside its edges and places. */
    private static final int WORK_A_STEP = 64;

    private static final int[] NONE = {};

    private final Vocabulary vocabulary;
    private final long networkBytes;
    private final int[] classOf = new int[256];
    private final int[] lastLike = new int[256];
    private final int classes;

    /** By node, first byte and last byte and target of each edge in turn. */
    private final int[][] readEdges;

    /** By node. */
    private final int[][] jumps;

    /** By node, start of the called rule and the node to return to in turn. */
    private final int[][] calls;

    private final boolean[] ends;
    private final int start;
    private final Frame root = new Frame(-1, null, 0);
    private final ConstraintState dead;
    private Map<List<Place>, ConstraintState> accepting = new HashMap<>();
    private Map<List<Place>, ConstraintState> others = new HashMap<>();
    private Map<Call, Frame> frames = new HashMap<>();
    private Map<TokenMask, TokenMask> masks = new HashMap<>();
    private int frameCount = 1;
    private long bytes;
    private long work;
    private long mostWork = ConstraintBudget.MOST_AT_ONCE;
    private ConstraintState initial;

    /** An open call. Equal ones are the same object. */
    static final class Frame {
        private final int returnTo;
        private final @Nullable Frame outer;
        private final int number;

        private Frame(int returnTo, @Nullable Frame outer, int number) {
            this.returnTo = returnTo;
            this.outer = outer;
            this.number = number;
        }
    }

    private record Call(int returnTo, Frame outer) {}

    /** A node and the innermost open call. */
    record Place(int node, Frame frame) {
        @Override
        public int hashCode() {
            return node * 31 + frame.number;
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Place place && node == place.node && frame == place.frame;
        }
    }

    /** @throws ConstraintException when no text satisfies it */
    Automaton(Network network, Vocabulary vocabulary) {
        this.vocabulary = vocabulary;
        boolean[] productive = network.productive();
        start = network.start(Network.MAIN);
        if (!productive[start]) {
            throw new ConstraintException(
                    "No text satisfies the constraint, or none that this model's vocabulary can write.");
        }
        ends = new boolean[network.nodes()];
        for (int rule = 0; rule < network.rules(); rule++) {
            ends[network.end(rule)] = true;
        }
        readEdges = new int[network.nodes()][];
        jumps = new int[network.nodes()][];
        calls = new int[network.nodes()][];
        group(network, productive);
        networkBytes = network.nodes() * 32L + network.edges() * 16L;
        classes = classify(network);
        dead = new ConstraintState(this, List.of(), false, classes);
        initial = newInitial();
    }

    private void group(Network network, boolean[] productive) {
        int[][] counts = new int[3][network.nodes()];
        for (boolean fill : new boolean[] {false, true}) {
            for (int edge = 0; edge < network.edges(); edge++) {
                int from = network.from(edge);
                int low = network.low(edge);
                boolean open = productive[network.to(edge)]
                        && (low != Network.CALL || productive[network.start(network.high(edge))]);
                if (!open) {
                    continue;
                }
                int kind = low == Network.JUMP ? 0 : low == Network.CALL ? 1 : 2;
                if (!fill) {
                    counts[kind][from]++;
                } else if (kind == 0) {
                    jumps[from][--counts[0][from]] = network.to(edge);
                } else if (kind == 1) {
                    int at = --counts[1][from] * 2;
                    calls[from][at] = network.start(network.high(edge));
                    calls[from][at + 1] = network.to(edge);
                } else {
                    int at = --counts[2][from] * 3;
                    readEdges[from][at] = low;
                    readEdges[from][at + 1] = network.high(edge);
                    readEdges[from][at + 2] = network.to(edge);
                }
            }
            if (!fill) {
                for (int node = 0; node < network.nodes(); node++) {
                    jumps[node] = ints(counts[0][node]);
                    calls[node] = ints(counts[1][node] * 2);
                    readEdges[node] = ints(counts[2][node] * 3);
                }
            }
        }
    }

    private static int[] ints(int length) {
        return length == 0 ? NONE : new int[length];
    }

    /** Numbers the bytes so that those which no edge tells apart have one number. */
    private int classify(Network network) {
        boolean[] begins = new boolean[257];
        // The blank on its own: a tokenizer may drop it at the beginning of a text.
        begins[' '] = true;
        begins[' ' + 1] = true;
        for (int edge = 0; edge < network.edges(); edge++) {
            if (network.low(edge) >= 0) {
                begins[network.low(edge)] = true;
                begins[network.high(edge) + 1] = true;
            }
        }
        int current = 0;
        for (int b = 0; b < 256; b++) {
            current += b > 0 && begins[b] ? 1 : 0;
            classOf[b] = current;
        }
        for (int b = 255, last = 255; b >= 0; b--) {
            lastLike[b] = last;
            last = begins[b] ? b - 1 : last;
        }
        return current + 1;
    }

    /** The last of the bytes from {@code b} on that lead wherever {@code b} leads. */
    int lastLike(int b) {
        return lastLike[b];
    }

    synchronized ConstraintState initial() {
        return initial;
    }

    /** A state of its own where the tokenizer drops a blank at the beginning, so that this blank leads back to the beginning. */
    private ConstraintState newInitial() {
        Reached reached = new Reached();
        reached.add(start, root);
        ConstraintState state = reached.state();
        if (!vocabulary.tokenizer().dropsLeadingSpace()) {
            return state;
        }
        ConstraintState beginning = new ConstraintState(this, state.places(), state.isAccepting(), classes);
        beginning.setNext(classOf[' '], state);
        return beginning;
    }

    ConstraintState step(ConstraintState state, int b) {
        ConstraintState next = state.next(classOf[b]);
        return next != null ? next : newStep(state, b);
    }

    private synchronized ConstraintState newStep(ConstraintState state, int b) {
        work(WORK_A_STEP);
        Reached reached = new Reached();
        // Changes, from one byte to the next, in how many edges read a byte and not b.
        int[] others = new int[257];
        // What all edges that read b read too.
        int first = 0;
        int last = 255;
        for (Place place : state.places()) {
            int[] edges = readEdges[place.node()];
            work(edges.length / 3);
            for (int i = 0; i < edges.length; i += 3) {
                if (edges[i] <= b && b <= edges[i + 1]) {
                    reached.add(edges[i + 2], place.frame());
                    first = Math.max(first, edges[i]);
                    last = Math.min(last, edges[i + 1]);
                } else {
                    others[edges[i]]++;
                    others[edges[i + 1] + 1]--;
                }
            }
        }
        ConstraintState next = reached.state();
        // Most classes of bytes lead where another one leads: those that the same edges read.
        int reading = 0;
        for (int other = 0; other < 256; other = lastLike[other] + 1) {
            reading += others[other];
            if (reading == 0 && first <= other && other <= last && state.next(classOf[other]) == null) {
                state.setNext(classOf[other], next);
            }
        }
        return next;
    }

    private void work(int more) {
        work += more;
        if (work > mostWork) {
            String problem = mostWork == ConstraintBudget.MOST_AT_ONCE
                    ? "The constraint can be read in too many ways at once to be followed."
                    : "Following the constraint has taken all the work that one answer may take.";
            throw new ConstraintException(
                    problem + " Make its alternatives differ earlier, and avoid repetitions within repetitions.");
        }
    }

    /** Places that are reached, and all that are reached from them without reading. */
    private final class Reached {
        private final Set<Place> seen = new HashSet<>();
        private final List<Place> open = new ArrayList<>();
        private final List<Place> reading = new ArrayList<>();
        private boolean accepts;

        void add(int node, Frame frame) {
            work(WORK_A_PLACE);
            Place place = new Place(node, frame);
            if (seen.add(place)) {
                open.add(place);
            }
        }

        ConstraintState state() {
            while (!open.isEmpty()) {
                follow(open.removeLast());
            }
            return reading.isEmpty() && !accepts ? dead : intern(reading, accepts);
        }

        private void follow(Place place) {
            int at = place.node();
            if (readEdges[at].length > 0) {
                reading.add(place);
            }
            for (int target : jumps[at]) {
                add(target, place.frame());
            }
            for (int i = 0; i < calls[at].length; i += 2) {
                add(calls[at][i], call(calls[at][i + 1], place.frame()));
            }
            if (ends[at]) {
                Frame outer = place.frame().outer;
                if (outer == null) {
                    accepts = true;
                } else {
                    add(place.frame().returnTo, outer);
                }
            }
        }
    }

    /** What returns to a place from which nothing but a return follows, returns at once to where that leads. */
    private Frame call(int returnTo, Frame outer) {
        boolean onlyReturns =
                ends[returnTo] && readEdges[returnTo].length + jumps[returnTo].length + calls[returnTo].length == 0;
        if (onlyReturns) {
            return outer;
        }
        return frames.computeIfAbsent(new Call(returnTo, outer), call -> {
            bytes += BYTES_A_PLACE;
            return new Frame(returnTo, outer, frameCount++);
        });
    }

    private ConstraintState intern(List<Place> places, boolean accepts) {
        Place[] sorted = places.toArray(Place[]::new);
        Arrays.sort(sorted, Comparator.comparingInt(Place::node).thenComparingInt(p -> p.frame().number));
        return (accepts ? accepting : others).computeIfAbsent(List.of(sorted), key -> {
            bytes += (key.size() + 4) * BYTES_A_PLACE + classes * 4L;
            return new ConstraintState(this, key, accepts, classes);
        });
    }

    synchronized TokenMask maskOf(ConstraintState state, ConstraintBudget budget) {
        begin(budget.mostNow());
        if (bytes > MOST_BYTES) {
            forget();
        }
        TokenMask mask;
        try {
            mask = vocabulary.allowedFrom(this, state);
        } finally {
            budget.spend(work);
            begin(ConstraintBudget.MOST_AT_ONCE);
        }
        return masks.computeIfAbsent(mask, key -> {
            bytes += key.bytes();
            return key;
        });
    }

    /** Drops all states; those that answers in progress hold, and what is reached from them, live as long as these. */
    private void forget() {
        accepting = new HashMap<>();
        others = new HashMap<>();
        frames = new HashMap<>();
        masks = new HashMap<>();
        bytes = 0;
        initial = newInitial();
    }

    private synchronized void begin(long most) {
        work = 0;
        mostWork = most;
    }

    synchronized long bytes() {
        return networkBytes + bytes;
    }

    ConstraintState after(ConstraintState state, int token) {
        if (vocabulary.tokenizer().isSpecial(token)) {
            return dead;
        }
        begin(ConstraintBudget.MOST_AT_ONCE);
        ConstraintState at = state;
        byte[] text = vocabulary.tokenizer().bytesOf(token);
        for (byte b : text) {
            at = step(at, b & 0xFF);
        }
        return text.length == 0 ? dead : at;
    }
}
