package dev.tsumugi.engine.train;

import dev.tsumugi.engine.kernels.AdamWStep;
import dev.tsumugi.engine.kernels.BlockMoments;
import dev.tsumugi.engine.kernels.TrainingKernels;
import dev.tsumugi.engine.tensor.OwnedMemory;
import dev.tsumugi.engine.tensor.Tensor;
import dev.tsumugi.engine.train.LoraParameters.Adapted;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * AdamW with moments of 8 bits ({@link TrainingKernels#adamW8Bit}). Matrices below {@value #SMALLEST} numbers keep fp32 moments. The moments lie in a
 * mapped temporary file, so that the system may write their pages out when memory is short, or where the backend wants them.
 */
final class PagedAdamW8Bit implements Optimizer {
    static final int SMALLEST = 4096;

    /** A matrix whose moments are quantized: where it begins, and its moments. */
    private record Part(long offset, BlockMoments moments) {}

    /** A small matrix. */
    private record Small(long offset, int count, MemorySegment moments) {}

    private final double weightDecay;
    private final TrainingKernels kernels;
    private final List<Part> parts = new ArrayList<>();
    private final List<Small> smalls = new ArrayList<>();
    private final Arena arena = Arena.ofShared();
    private final @Nullable OwnedMemory memory;
    /** Moments of the parts, then of the small matrices. */
    private final MemorySegment pages;

    PagedAdamW8Bit(LoraParameters parameters, double weightDecay, Path folder, TrainingKernels kernels)
            throws IOException {
        this(sizes(parameters), weightDecay, folder, kernels);
    }

    private static List<long[]> sizes(LoraParameters parameters) {
        List<long[]> sizes = new ArrayList<>();
        for (Adapted layer : parameters.layers()) {
            sizes.add(new long[] {layer.a(), (long) parameters.rank() * layer.inputs()});
            sizes.add(new long[] {
                layer.b(), (long) parameters.rank() * layer.module().outputs()
            });
        }
        return sizes;
    }

    /** @param sizes offset and count of each matrix */
    PagedAdamW8Bit(List<long[]> sizes, double weightDecay, Path folder, TrainingKernels kernels) throws IOException {
        this.weightDecay = weightDecay;
        this.kernels = kernels;
        long bytes = 0;
        for (long[] size : sizes) {
            bytes += isSmall(size) ? 8 * size[1] : BlockMoments.bytes(Math.toIntExact(size[1]));
        }
        memory = kernels.momentMemory(bytes);
        pages = memory == null ? mapped(folder, bytes) : memory.segment();
        long at = 0;
        for (long[] size : sizes) {
            if (!isSmall(size)) {
                int count = (int) size[1];
                BlockMoments moments = new BlockMoments(pages.asSlice(at, BlockMoments.bytes(count)), count);
                moments.clear();
                parts.add(new Part(size[0], moments));
                at += moments.memory().byteSize();
            }
        }
        for (long[] size : sizes) {
            if (isSmall(size)) {
                smalls.add(new Small(size[0], (int) size[1], pages.asSlice(at, 8 * size[1])));
                at += 8 * size[1];
            }
        }
    }

    private static boolean isSmall(long[] size) {
        return size[1] < SMALLEST;
    }

    private MemorySegment mapped(Path folder, long bytes) throws IOException {
        Path file = Files.createTempFile(folder, "optimizer-", ".pages");
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            return channel.map(FileChannel.MapMode.READ_WRITE, 0, bytes, arena);
        } finally {
            // The mapping keeps the pages; nothing is left behind when the program ends, however it ends.
            Files.delete(file);
        }
    }

    @Override
    public void step(Tensor values, Tensor gradients, double gradientFactor, int step, double learningRate) {
        AdamWStep own = new AdamWStep((float) gradientFactor, step, learningRate, weightDecay);
        for (Small small : smalls) {
            kernels.adamW(values, gradients, small.offset, small.count, small.moments, own);
        }
        for (Part part : parts) {
            kernels.adamW8Bit(values, gradients, part.offset, part.moments, own);
        }
        kernels.awaitMoments();
    }

    /** Codes of the first moments, then of the second, of the first quantized matrix; for tests. */
    MemorySegment codes() {
        BlockMoments first = parts.getFirst().moments;
        return first.memory().asSlice(0, 2L * first.count());
    }

    @Override
    public long byteSize() {
        return pages.byteSize();
    }

    @Override
    public void save(DataOutputStream out) throws IOException {
        Numbers.write(out, pages);
    }

    @Override
    public void load(DataInputStream in) throws IOException {
        Numbers.read(in, pages);
    }

    @Override
    public void close() {
        if (memory != null) {
            memory.close();
        }
        arena.close();
    }
}
