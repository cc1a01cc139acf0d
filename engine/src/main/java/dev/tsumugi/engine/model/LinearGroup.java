package dev.tsumugi.engine.model;

import dev.tsumugi.engine.kernels.LowRankSource;
import dev.tsumugi.engine.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Linear layers that read the same activation, whose adapters are therefore applied together.
 *
 * @param inputs K
 * @param projections in the order in which their outputs are given to the adapters
 */
record LinearGroup(int inputs, List<Projection> projections) {

    /**
     * One output of the group.
     *
     * @param module Hugging Face name of the linear layer, without {@code .weight}; several projections may be parts of one
     * @param moduleRows N of that layer
     * @param rows [N of the output] which row of the layer, in Hugging Face order, each element of the output is
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Projection(String module, int moduleRows, int[] rows) {

        /** The whole layer in its own order. */
        static Projection whole(String module, int rows) {
            return new Projection(module, rows, IntStream.range(0, rows).toArray());
        }

        /** The whole layer where each head's halves are interleaved, as in files whose rope turns neighbours. */
        static Projection interleaved(String module, int heads, int headSize) {
            int[] rows = new int[heads * headSize];
            Arrays.setAll(rows, n -> {
                int within = n % headSize;
                return n - within + within / 2 + within % 2 * (headSize / 2);
            });
            return new Projection(module, rows.length, rows);
        }

        /** Query, key or value of a fused layer whose rows are those of head 0, then of head 1, and so on. */
        static Projection part(String module, int part, int heads, int headSize) {
            int parts = FusedQueryKeyValue.PARTS;
            int[] rows = new int[heads * headSize];
            Arrays.setAll(rows, n -> (n / headSize * parts + part) * headSize + n % headSize);
            return new Projection(module, parts * rows.length, rows);
        }
    }

    static LinearGroup of(int inputs, Projection... projections) {
        return new LinearGroup(inputs, List.of(projections));
    }

    /** Shape [N, K] of each layer of the group. */
    Map<String, Shape> modules() {
        Map<String, Shape> shapes = new LinkedHashMap<>();
        projections.forEach(p -> shapes.put(p.module, new Shape(p.moduleRows, inputs)));
        return shapes;
    }

    /** What {@code pairs} adds to this group, or null when it adds nothing. Shapes are checked before. */
    @Nullable
    LowRankSource source(Map<String, LowRankPair> pairs) {
        List<LowRankSource.Down> downs = new ArrayList<>();
        List<LowRankSource.Up> ups = new ArrayList<>();
        Map<String, Integer> downOf = new LinkedHashMap<>();
        for (int output = 0; output < projections.size(); output++) {
            Projection projection = projections.get(output);
            LowRankPair pair = pairs.get(projection.module);
            if (pair == null) {
                continue;
            }
            int down = downOf.computeIfAbsent(projection.module, module -> {
                downs.add(new LowRankSource.Down(pair.a(), pair.scale()));
                return downs.size() - 1;
            });
            ups.add(new LowRankSource.Up(output, down, pair.b(), projection.rows));
        }
        return ups.isEmpty() ? null : new LowRankSource(inputs, downs, ups);
    }
}
