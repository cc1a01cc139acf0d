package dev.tsumugi.engine.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Launches that were asked for and not yet made. They are made together when a result is wanted, and where the same launches with the same
 * parameters were made before, as in one step of decoding after another, by one CUDA graph: the device then waits for no launch.
 */
final class Commands implements AutoCloseable {
    /** Graphs kept; the one not used for longest goes first. */
    private static final int MOST_GRAPHS = 64;
    /** Lists seen once, of which only a hash is kept. */
    private static final int MOST_SEEN = 256;
    /** Words in front of the parameters: function, x | y, z | threads, parameters. */
    private static final int HEADER = 4;
    /** Lists shorter than that are not worth a graph. */
    private static final int FEWEST_LAUNCHES = 8;

    static final int MOST_PARAMETERS = 24;

    private final Device device;
    private long[] words = new long[1 << 12];
    private int length;
    private int open = -1;
    private int launches;
    private Arena arena = Arena.ofShared();
    private MemorySegment parameters = arena.allocate(ValueLayout.JAVA_LONG, words.length);
    private final MemorySegment pointers;
    private final Map<Long, Graph> graphs = new LinkedHashMap<>(16, 0.75f, true);
    private final Map<Long, Boolean> seen = new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<Long, Boolean> eldest) {
            return size() > MOST_SEEN;
        }
    };

    @SuppressWarnings("ArrayRecordComponent") // compared by content where it matters
    private record Graph(long[] words, long executable) {}

    Commands(Device device) {
        this.device = device;
        pointers = Arena.ofAuto().allocate(ValueLayout.ADDRESS, MOST_PARAMETERS + 1L);
    }

    /** Begins a launch over a grid of {@code x} times {@code y} times {@code z} blocks. Parameters follow, then {@link #end}. */
    Commands launch(String kernel, long x, long y, long z, int threads) {
        // Limits of a grid: cuda.h, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_*.
        if (x < 1 || y < 1 || z < 1 || x > Integer.MAX_VALUE || y > 65535 || z > 65535) {
            throw new IllegalArgumentException(kernel + " over " + x + " x " + y + " x " + z + " blocks");
        }
        forgetUnfinished();
        long function = device.function(kernel);
        open = length;
        put(function);
        put(x << 32 | y);
        put(z << 32 | threads);
        put(0);
        return this;
    }

    Commands add(long pointer) {
        put(pointer);
        return this;
    }

    Commands add(int value) {
        put(value & 0xffffffffL);
        return this;
    }

    Commands add(double value) {
        put(Double.doubleToRawLongBits(value));
        return this;
    }

    Commands add(float value) {
        return add(Float.floatToRawIntBits(value));
    }

    void end() {
        int count = length - open - HEADER;
        if (count > MOST_PARAMETERS) {
            throw new IllegalStateException(count + " parameters");
        }
        words[open + HEADER - 1] = count;
        open = -1;
        launches++;
    }

    /** A launch whose parameters were refused half-way. */
    private void forgetUnfinished() {
        if (open >= 0) {
            length = open;
            open = -1;
        }
    }

    private void put(long word) {
        if (length == words.length) {
            words = Arrays.copyOf(words, 2 * length);
            Arena larger = Arena.ofShared();
            parameters = larger.allocate(ValueLayout.JAVA_LONG, words.length);
            arena.close();
            arena = larger;
        }
        words[length++] = word;
    }

    /** Makes all launches. */
    void flush() {
        forgetUnfinished();
        if (length == 0) {
            return;
        }
        device.enter();
        try {
            long hash = hash();
            Graph graph = graphs.get(hash);
            if (graph != null && Arrays.equals(graph.words, 0, graph.words.length, words, 0, length)) {
                device.launchGraph(graph.executable);
            } else if (launches >= FEWEST_LAUNCHES && graph == null && seen.remove(hash) != null) {
                Graph made = new Graph(Arrays.copyOf(words, length), device.graph(this::launchAll));
                graphs.put(hash, made);
                forgetOldest();
                device.launchGraph(made.executable);
            } else {
                seen.put(hash, true);
                launchAll();
            }
        } finally {
            drop();
        }
    }

    private void launchAll() {
        MemorySegment.copy(words, 0, parameters, ValueLayout.JAVA_LONG, 0, length);
        for (int at = 0; at < length; ) {
            int count = (int) words[at + 3];
            for (int i = 0; i < count; i++) {
                pointers.setAtIndex(ValueLayout.ADDRESS, i, parameters.asSlice((long) (at + HEADER + i) * Long.BYTES));
            }
            pointers.setAtIndex(ValueLayout.ADDRESS, count, MemorySegment.NULL);
            device.launch(
                    words[at],
                    (int) (words[at + 1] >> 32),
                    (int) words[at + 1],
                    (int) (words[at + 2] >> 32),
                    (int) words[at + 2],
                    pointers);
            at += HEADER + count;
        }
    }

    private long hash() {
        long hash = length;
        for (int i = 0; i < length; i++) {
            hash = (hash ^ words[i]) * 0x9E3779B97F4A7C15L;
            hash ^= hash >>> 29;
        }
        return hash;
    }

    private void forgetOldest() {
        if (graphs.size() > MOST_GRAPHS) {
            var oldest = graphs.entrySet().iterator();
            long executable = oldest.next().getValue().executable;
            oldest.remove();
            device.synchronize();
            device.freeGraph(executable);
        }
    }

    private void drop() {
        open = -1;
        length = 0;
        launches = 0;
    }

    @Override
    public void close() {
        drop();
        graphs.values().forEach(graph -> device.freeGraph(graph.executable));
        graphs.clear();
        arena.close();
    }
}
