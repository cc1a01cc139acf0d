package dev.tsumugi.engine.train;

import dev.tsumugi.engine.kernels.AdamWStep;
import dev.tsumugi.engine.kernels.TrainingKernels;
import dev.tsumugi.engine.tensor.OwnedMemory;
import dev.tsumugi.engine.tensor.Tensor;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** AdamW with fp32 moments: Loshchilov and Hutter, arXiv 1711.05101. */
final class AdamW implements Optimizer {
    private final int count;
    private final double weightDecay;
    private final TrainingKernels kernels;
    private final Arena arena = Arena.ofShared();
    private final @Nullable OwnedMemory memory;
    /** First moments, then second. */
    private final MemorySegment moments;

    AdamW(int count, double weightDecay, TrainingKernels kernels) {
        this.count = count;
        this.weightDecay = weightDecay;
        this.kernels = kernels;
        memory = kernels.momentMemory(8L * count);
        moments = memory == null ? arena.allocate(8L * count, 64) : memory.segment();
    }

    @Override
    public void step(Tensor values, Tensor gradients, double gradientFactor, int step, double learningRate) {
        AdamWStep own = new AdamWStep((float) gradientFactor, step, learningRate, weightDecay);
        kernels.adamW(values, gradients, 0, count, moments, own);
        kernels.awaitMoments();
    }

    @Override
    public long byteSize() {
        return moments.byteSize();
    }

    @Override
    public void save(DataOutputStream out) throws IOException {
        Numbers.write(out, moments);
    }

    @Override
    public void load(DataInputStream in) throws IOException {
        Numbers.read(in, moments);
    }

    @Override
    public void close() {
        if (memory != null) {
            memory.close();
        }
        arena.close();
    }
}
