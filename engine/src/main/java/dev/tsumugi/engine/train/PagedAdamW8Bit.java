package dev.tsumugi.engine.train;

import dev.tsumugi.engine.quant.BlockwiseInt8;
import dev.tsumugi.engine.train.LoraParameters.Adapted;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/**
 * AdamW with moments of 8 bits in blocks of {@value BlockwiseInt8#BLOCK} (Dettmers et al., arXiv 2110.02861), computed as bitsandbytes' CUDA kernel
 * does: decay after the update, the first moment keeps its sign, and NaN and infinite gradients change nothing. Matrices below {@value
 * #SMALLEST} numbers keep fp32 moments. The moments lie in a mapped temporary file, so that the system may write their pages out when memory is
 * short.
 */
final class PagedAdamW8Bit implements Optimizer {
    static final int SMALLEST = 4096;

    private static final BlockwiseInt8 SIGNED = BlockwiseInt8.signed();
    private static final BlockwiseInt8 UNSIGNED = BlockwiseInt8.unsigned();

    /** A matrix whose moments are quantized: where it begins, its size, and where its moments begin in the file. */
    private record Part(long offset, int count, long codes, long scales) {
        int blocks() {
            return Math.ceilDiv(count, BlockwiseInt8.BLOCK);
        }
    }

    /** A small matrix. */
    private record Small(long offset, float[] first, float[] second) {}

    private final double weightDecay;
    private final List<Part> parts = new ArrayList<>();
    private final List<Small> smalls = new ArrayList<>();
    private final Arena arena = Arena.ofShared();
    private final MemorySegment pages;

    PagedAdamW8Bit(LoraParameters parameters, double weightDecay, Path folder) throws IOException {
        this(sizes(parameters), weightDecay, folder);
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
    PagedAdamW8Bit(List<long[]> sizes, double weightDecay, Path folder) throws IOException {
        this.weightDecay = weightDecay;
        long at = 0;
        for (long[] size : sizes) {
            int count = Math.toIntExact(size[1]);
            if (count < SMALLEST) {
                smalls.add(new Small(size[0], new float[count], new float[count]));
                continue;
            }
            long scales = at + (2L * count + 3 & -4L);
            Part part = new Part(size[0], count, at, scales);
            parts.add(part);
            at = scales + 8L * part.blocks();
        }
        Path file = Files.createTempFile(folder, "optimizer-", ".pages");
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            pages = channel.map(FileChannel.MapMode.READ_WRITE, 0, at, arena);
        } finally {
            // The mapping keeps the pages; nothing is left behind when the program ends, however it ends.
            Files.delete(file);
        }
        for (Part part : parts) {
            // Bytes of 0 would be the lowest code of the signed map.
            pages.asSlice(part.codes, part.count).fill(SIGNED.zero());
            pages.asSlice(part.codes + part.count, part.count).fill(UNSIGNED.zero());
        }
    }

    @Override
    public void step(
            MemorySegment values, MemorySegment gradients, double gradientFactor, int step, double learningRate) {
        for (Small small : smalls) {
            AdamW.update(
                    values,
                    gradients,
                    small.offset,
                    small.first.length,
                    (float) gradientFactor,
                    small.first,
                    small.second,
                    step,
                    learningRate,
                    weightDecay);
        }
        for (Part part : parts) {
            for (int block = 0; block < part.blocks(); block++) {
                update(part, block, values, gradients, (float) gradientFactor, step, learningRate);
            }
        }
    }

    private void update(
            Part part,
            int block,
            MemorySegment values,
            MemorySegment gradients,
            float factor,
            int step,
            double learningRate) {
        int from = block * BlockwiseInt8.BLOCK;
        int count = Math.min(BlockwiseInt8.BLOCK, part.count - from);
        long codes1 = part.codes + from;
        long codes2 = part.codes + part.count + from;
        long scale1 = part.scales + 4L * block;
        long scale2 = scale1 + 4L * part.blocks();
        float largest1 = pages.get(ValueLayout.JAVA_FLOAT, scale1);
        float largest2 = pages.get(ValueLayout.JAVA_FLOAT, scale2);
        float correction1 = (float) (1 - Math.pow(BETA_1, step));
        float correction2 = (float) Math.sqrt(1 - Math.pow(BETA_2, step));
        float stride = (float) learningRate * correction2 / correction1;
        float epsilon = correction2 * (float) EPSILON;
        float kept = (float) (1 - learningRate * weightDecay);
        float[] first = new float[count];
        float[] second = new float[count];
        for (int i = 0; i < count; i++) {
            first[i] = SIGNED.value(pages.get(ValueLayout.JAVA_BYTE, codes1 + i)) * largest1;
            second[i] = UNSIGNED.value(pages.get(ValueLayout.JAVA_BYTE, codes2 + i)) * largest2;
            long at = part.offset + from + i;
            float gradient = gradients.getAtIndex(ValueLayout.JAVA_FLOAT, at) * factor;
            if (!Float.isFinite(gradient)) {
                continue;
            }
            first[i] = (float) BETA_1 * first[i] + (float) (1 - BETA_1) * gradient;
            second[i] = (float) BETA_2 * second[i] + (float) (1 - BETA_2) * gradient * gradient;
            float value = values.getAtIndex(ValueLayout.JAVA_FLOAT, at);
            value -= stride * (first[i] / ((float) Math.sqrt(second[i]) + epsilon));
            values.setAtIndex(ValueLayout.JAVA_FLOAT, at, value * kept);
        }
        byte[] codes = new byte[count];
        pages.set(ValueLayout.JAVA_FLOAT, scale1, SIGNED.quantize(first, codes));
        SIGNED.keepSigns(first, codes);
        MemorySegment.copy(codes, 0, pages, ValueLayout.JAVA_BYTE, codes1, count);
        pages.set(ValueLayout.JAVA_FLOAT, scale2, UNSIGNED.quantize(second, codes));
        MemorySegment.copy(codes, 0, pages, ValueLayout.JAVA_BYTE, codes2, count);
    }

    /** Codes of the first moments, then of the second, of the first quantized matrix; for tests. */
    MemorySegment codes() {
        return pages.asSlice(parts.getFirst().codes, 2L * parts.getFirst().count);
    }

    /** Largest magnitudes of the first moments' blocks, then of the second's, of the first quantized matrix; for tests. */
    MemorySegment scales() {
        return pages.asSlice(parts.getFirst().scales, 8L * parts.getFirst().blocks());
    }

    @Override
    public long byteSize() {
        return pages.byteSize()
                + smalls.stream().mapToLong(s -> 8L * s.first.length).sum();
    }

    @Override
    public void save(DataOutputStream out) throws IOException {
        Numbers.write(out, pages);
        for (Small small : smalls) {
            Numbers.write(out, small.first);
            Numbers.write(out, small.second);
        }
    }

    @Override
    public void load(DataInputStream in) throws IOException {
        Numbers.read(in, pages);
        for (Small small : smalls) {
            Numbers.read(in, small.first);
            Numbers.read(in, small.second);
        }
    }

    @Override
    public void close() {
        arena.close();
    }
}
