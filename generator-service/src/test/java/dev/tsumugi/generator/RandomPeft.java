package dev.tsumugi.generator;

import dev.tsumugi.engine.adapter.PeftWriter;
import dev.tsumugi.engine.model.LanguageModel;
import dev.tsumugi.engine.model.LowRankPair;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.HostMemory;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;

/** PEFT folders with random values that are large enough to tell. */
final class RandomPeft {
    private RandomPeft() {}

    /** Adapts every linear layer but the head. */
    static Path write(Path folder, LanguageModel model, int rank, long seed) throws IOException {
        Random random = new Random(seed);
        Map<String, LowRankPair> pairs = new HashMap<>();
        for (Map.Entry<String, Shape> module : model.adaptableModules().entrySet()) {
            if (module.getKey().contains(".layers.")) {
                int outputs = (int) module.getValue().get(0);
                int inputs = (int) module.getValue().get(1);
                pairs.put(
                        module.getKey(),
                        new LowRankPair(
                                matrix(random, rank, inputs, 1 / Math.sqrt(inputs)),
                                matrix(random, outputs, rank, 0.3 / Math.sqrt(rank)),
                                1));
            }
        }
        PeftWriter.write(folder, new PeftWriter.Settings("tiny-llama", rank, rank, false), pairs);
        return folder;
    }

    private static Tensor matrix(Random random, int rows, int columns, double deviation) {
        MemorySegment memory = Arena.ofAuto().allocate(4L * rows * columns, 64);
        for (int i = 0; i < rows * columns; i++) {
            memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) (random.nextGaussian() * deviation));
        }
        return new Tensor(DType.F32, new Shape(rows, columns), new HostMemory(memory), 0);
    }
}
