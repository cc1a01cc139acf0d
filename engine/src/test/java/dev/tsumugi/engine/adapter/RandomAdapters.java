package dev.tsumugi.engine.adapter;

import dev.tsumugi.engine.model.LowRankPair;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.HostMemory;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Collection;
import java.util.Map;
import java.util.Random;
import java.util.SortedMap;
import java.util.TreeMap;

/** Adapters with random values that are large enough to tell. */
public final class RandomAdapters {
    private RandomAdapters() {}

    /** A pair for each of {@code modules}, which must be in {@code shapes}. */
    public static SortedMap<String, LowRankPair> pairs(
            Map<String, Shape> shapes, Collection<String> modules, int rank, float scale, long seed) {
        Random random = new Random(seed);
        SortedMap<String, LowRankPair> pairs = new TreeMap<>();
        for (String module : modules) {
            Shape shape = shapes.get(module);
            int outputs = (int) shape.get(0);
            int inputs = (int) shape.get(1);
            pairs.put(
                    module,
                    new LowRankPair(
                            matrix(random, rank, inputs, 1 / Math.sqrt(inputs)),
                            matrix(random, outputs, rank, 0.3),
                            scale));
        }
        return pairs;
    }

    public static Tensor matrix(Random random, int rows, int columns, double deviation) {
        MemorySegment memory = Arena.ofAuto().allocate(4L * rows * columns, 64);
        for (int i = 0; i < rows * columns; i++) {
            memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) (random.nextGaussian() * deviation));
        }
        return new Tensor(DType.F32, new Shape(rows, columns), new HostMemory(memory), 0);
    }
}
