package dev.tsumugi.bench;

import dev.tsumugi.engine.adapter.PeftAdapter;
import dev.tsumugi.engine.adapter.PeftWriter;
import dev.tsumugi.engine.model.LowRankPair;
import dev.tsumugi.engine.quant.Dequantization;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.HostMemory;
import dev.tsumugi.engine.tensor.Tensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/** An adapter in bfloat16, half as large, as it is published. */
final class RoundedAdapter {
    private RoundedAdapter() {}

    /** @param settings what {@code from} was written with */
    static void write(Path from, Path to, PeftWriter.Settings settings) {
        try (PeftAdapter adapter = PeftAdapter.open(from);
                Arena arena = Arena.ofConfined()) {
            Map<String, LowRankPair> pairs = new HashMap<>();
            adapter.pairs()
                    .forEach((module, pair) -> pairs.put(
                            module, new LowRankPair(rounded(pair.a(), arena), rounded(pair.b(), arena), pair.scale())));
            PeftWriter.write(to, settings, pairs);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Tensor rounded(Tensor tensor, Arena arena) {
        int count = Math.toIntExact(tensor.shape().elements());
        float[] values = new float[count];
        Dequantization.toFloats(tensor.dtype(), tensor.memory().segment(), tensor.offset(), values, 0, count);
        MemorySegment to = arena.allocate(2L * count, 2);
        for (int i = 0; i < count; i++) {
            int bits = Float.floatToRawIntBits(values[i]);
            // To the nearest, ties to even; the adapter holds finite numbers only.
            to.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16));
        }
        return new Tensor(DType.BF16, tensor.shape(), new HostMemory(to), 0);
    }
}
