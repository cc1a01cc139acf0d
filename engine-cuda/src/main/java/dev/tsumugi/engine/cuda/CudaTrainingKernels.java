package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.AdamWStep;
import dev.tsumugi.engine.kernels.BlockMoments;
import dev.tsumugi.engine.kernels.MatrixView;
import dev.tsumugi.engine.kernels.Sizes;
import dev.tsumugi.engine.kernels.TrainingKernels;
import dev.tsumugi.engine.kernels.Weight;
import dev.tsumugi.engine.quant.BlockwiseInt8;
import dev.tsumugi.engine.tensor.OwnedMemory;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** The operations of training on a GPU: fp32, each sum in one order, but for products with frozen weights, which are {@link CudaKernels}'. */
final class CudaTrainingKernels implements TrainingKernels, AutoCloseable {
    /** As in product.cuh. */
    private static final int SIDE = 32;
    /** Terms that a part of a sum has at least, so that joining parts costs little. */
    private static final int LEAST_PART = 256;

    private static final int MOST_GRID = 65535;
    /** As in causal_attention.cuh. */
    private static final int WARPS_A_BLOCK = 4;

    private static final int THREADS = 256;
    private static final int SMALL_BLOCK = 128;
    private static final int ENTROPY_THREADS = 512;
    /** Blocks that sums of squares are cut into, whatever the device, so that a run gives the same bits on another. */
    private static final int SQUARE_BLOCKS = 512;

    private static final BlockwiseInt8 SIGNED = BlockwiseInt8.signed();
    private static final BlockwiseInt8 UNSIGNED = BlockwiseInt8.unsigned();
    /** What codes of first moments mean, then of second. */
    private static final float[] MAPS = maps();

    private final Device device;
    private final Commands commands;
    private final CudaKernels kernels;
    private final HostArrays arrays;
    private final Scratch parts;
    private final Scratch sums;
    private @Nullable MomentStream moments;

    CudaTrainingKernels(Device device, Commands commands, CudaKernels kernels) {
        this.device = device;
        this.commands = commands;
        this.kernels = kernels;
        arrays = new HostArrays(device, commands);
        parts = new Scratch(device, commands);
        sums = new Scratch(device, commands);
    }

    private static float[] maps() {
        float[] first = SIGNED.codes();
        float[] second = UNSIGNED.codes();
        float[] both = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, both, first.length, second.length);
        return both;
    }

    private static long address(MatrixView view) {
        return DeviceMemory.address(view.tensor()) + view.offset() * Float.BYTES;
    }

    @Override
    public void product(MatrixView out, MatrixView a, MatrixView b, boolean add) {
        Sizes.requireProduct(out, a, b);
        if (out.columnStride() != 1) {
            throw new IllegalArgumentException("rows of the product must be contiguous");
        }
        int across = Math.ceilDiv(out.columns(), SIDE);
        int down = Math.ceilDiv(out.rows(), SIDE);
        if (across == 0 || down == 0) {
            return;
        }
        if (down > MOST_GRID) {
            throw new IllegalArgumentException("a product of " + out.rows() + " rows");
        }
        // As many parts as keep all processors busy.
        long wanted = Math.ceilDiv(2L * device.processors(), (long) across * down);
        int count = (int) Math.clamp(wanted, 1, Math.max(1, a.columns() / LEAST_PART));
        int part = Math.max(SIDE, Math.ceilDiv(Math.ceilDiv(a.columns(), count), SIDE) * SIDE);
        count = Math.max(1, Math.ceilDiv(a.columns(), part));
        long room = count == 1 ? 0 : parts.floats((long) count * out.rows() * out.columns());
        commands.launch("product", across, down, count, THREADS)
                .add(address(out))
                .add(out.rowStride())
                .add(address(a))
                .add(a.rowStride())
                .add(a.columnStride())
                .add(address(b))
                .add(b.rowStride())
                .add(b.columnStride())
                .add(out.rows())
                .add(out.columns())
                .add(a.columns())
                .add(part)
                .add(room)
                .add(add ? 1 : 0)
                .end();
        if (count > 1) {
            kernels.overElements("product_join", (long) out.rows() * out.columns())
                    .add(address(out))
                    .add(out.rowStride())
                    .add(room)
                    .add(count)
                    .add(out.rows())
                    .add(out.columns())
                    .add(add ? 1 : 0)
                    .end();
        }
    }

    @Override
    public void linear(Tensor out, Tensor x, int rows, Weight weight, @Nullable Tensor bias, Addend... addends) {
        kernels.linear(out, x, rows, weight, bias);
        MatrixView all = MatrixView.of(out, rows, weight.outputs());
        for (Addend addend : addends) {
            int columns = addend.right().columns();
            product(all.columns(addend.firstColumn(), columns), addend.left(), addend.right(), true);
        }
    }

    @Override
    public void clear(Tensor x, long count) {
        Sizes.require("x", x, count);
        kernels.overElements("clear", count)
                .add(DeviceMemory.address(x))
                .add(count)
                .end();
    }

    @Override
    public void gather(Tensor out, Tensor x, int[] rows, int width) {
        Sizes.requireRows(out, x, rows, width);
        rows("gather_rows", out, x, rows, width);
    }

    @Override
    public void scatter(Tensor out, Tensor x, int[] rows, int width) {
        Sizes.requireRows(x, out, rows, width);
        rows("scatter_rows", out, x, rows, width);
    }

    private void rows(String kernel, Tensor out, Tensor x, int[] rows, int width) {
        if (rows.length == 0) {
            return;
        }
        long table = arrays.ints(rows);
        commands.launch(kernel, rows.length, 1, 1, THREADS)
                .add(DeviceMemory.address(out))
                .add(DeviceMemory.address(x))
                .add(table)
                .add(width)
                .end();
    }

    @Override
    public double sumOfSquares(Tensor x, long count) {
        Sizes.require("x", x, count);
        long room = sums.floats(2L * SQUARE_BLOCKS);
        commands.launch("sum_of_squares", SQUARE_BLOCKS, 1, 1, THREADS)
                .add(room)
                .add(DeviceMemory.address(x))
                .add(count)
                .end();
        return sum(room, SQUARE_BLOCKS);
    }

    /** Of doubles, in their order. */
    private double sum(long address, int count) {
        double[] each = new double[count];
        commands.flush();
        device.download(address, MemorySegment.ofArray(each));
        double sum = 0;
        for (double value : each) {
            sum += value;
        }
        return sum;
    }

    @Override
    public OwnedMemory momentMemory(long bytes) {
        return new PinnedMemory(device, bytes);
    }

    private MomentStream moments() {
        MomentStream stream = moments;
        if (stream == null) {
            stream = new MomentStream(device, commands);
            moments = stream;
        }
        return stream;
    }

    @Override
    public void adamW(Tensor values, Tensor gradients, long offset, int count, MemorySegment memory, AdamWStep step) {
        Sizes.requireAdamW(values, gradients, offset, count);
        long bytes = (long) count * Float.BYTES;
        int most = (int) (MomentStream.PART_BYTES / 2 / Float.BYTES);
        for (int from = 0; from < count; from += most) {
            int part = Math.min(most, count - from);
            long skipped = (long) from * Float.BYTES;
            long partBytes = (long) part * Float.BYTES;
            MemorySegment[] slices = {memory.asSlice(skipped, partBytes), memory.asSlice(bytes + skipped, partBytes)};
            long at = (offset + from) * Float.BYTES;
            moments()
                    .pass(
                            slices,
                            on -> kernels.overElements("adamw", part)
                                    .add(DeviceMemory.address(values) + at)
                                    .add(DeviceMemory.address(gradients) + at)
                                    .add(on[0])
                                    .add(on[1])
                                    .add(part)
                                    .add(step.gradientFactor())
                                    .add(step.kept())
                                    .add((float) (step.learningRate() / step.correction1()))
                                    .add((float) step.correction2())
                                    .add((float) AdamWStep.EPSILON)
                                    .end());
        }
    }

    @Override
    public void adamW8Bit(Tensor values, Tensor gradients, long offset, BlockMoments own, AdamWStep step) {
        Sizes.requireAdamW(values, gradients, offset, own.count());
        long maps = arrays.constants(MAPS);
        float stride = (float) step.learningRate() * (float) step.correction2() / (float) step.correction1();
        float epsilon = (float) step.correction2() * (float) AdamWStep.EPSILON;
        int most = (int) (MomentStream.PART_BYTES / (2 * BlockwiseInt8.BLOCK + 8) - 4);
        for (int block = 0; block < own.blocks(); block += most) {
            int blocks = Math.min(most, own.blocks() - block);
            int from = block * BlockwiseInt8.BLOCK;
            int count = Math.min(blocks * BlockwiseInt8.BLOCK, own.count() - from);
            long scales = own.scales() + 4L * block;
            MemorySegment memory = own.memory();
            MemorySegment[] slices = {
                memory.asSlice(from, count),
                memory.asSlice((long) own.count() + from, count),
                memory.asSlice(scales, 4L * blocks),
                memory.asSlice(scales + 4L * own.blocks(), 4L * blocks)
            };
            long at = (offset + from) * Float.BYTES;
            moments()
                    .pass(
                            slices,
                            on -> commands.launch("adamw_8bit", blocks, 1, 1, BlockwiseInt8.BLOCK)
                                    .add(DeviceMemory.address(values) + at)
                                    .add(DeviceMemory.address(gradients) + at)
                                    .add(on[0])
                                    .add(on[1])
                                    .add(on[2])
                                    .add(on[3])
                                    .add(maps)
                                    .add(SIGNED.zero() & 0xff)
                                    .add(UNSIGNED.zero() & 0xff)
                                    .add(count)
                                    .add(step.gradientFactor())
                                    .add(step.kept())
                                    .add(stride)
                                    .add(epsilon)
                                    .end());
        }
    }

    @Override
    public void awaitMoments() {
        if (moments != null) {
            moments.await();
        }
    }

    @Override
    public void scale(Tensor out, Tensor x, int count, float factor) {
        Sizes.require("out", out, count);
        Sizes.require("x", x, count);
        kernels.overElements("scale", count)
                .add(DeviceMemory.address(out))
                .add(DeviceMemory.address(x))
                .add(count)
                .add(factor)
                .end();
    }

    @Override
    public void rmsNormBackward(Tensor dX, Tensor dOut, Tensor x, int rows, int width, Tensor weight, float epsilon) {
        Sizes.requireNorm(dX, x, rows, width, weight);
        Sizes.require("dOut", dOut, (long) rows * width);
        rmsNormBackward(dX, dOut, x, rows, width, 0, 1, width, weight, epsilon, true);
    }

    private void rmsNormBackward(
            Tensor dX,
            Tensor dOut,
            Tensor x,
            int rows,
            int stride,
            int firstHead,
            int heads,
            int width,
            Tensor weight,
            float epsilon,
            boolean add) {
        if (rows == 0 || heads == 0) {
            return;
        }
        commands.launch("rms_norm_backward", rows, heads, 1, CudaKernels.rowThreads(width))
                .add(DeviceMemory.address(dX))
                .add(DeviceMemory.address(dOut))
                .add(DeviceMemory.address(x))
                .add(stride)
                .add(firstHead * width)
                .add(width)
                .add(DeviceMemory.address(weight))
                .add(epsilon)
                .add(add ? 1 : 0)
                .end();
    }

    @Override
    public void layerNormBackward(Tensor dX, Tensor dOut, Tensor x, int rows, int width, Tensor weight, float epsilon) {
        Sizes.requireNorm(dX, x, rows, width, weight);
        Sizes.require("dOut", dOut, (long) rows * width);
        if (rows == 0) {
            return;
        }
        commands.launch("layer_norm_backward", rows, 1, 1, CudaKernels.rowThreads(width))
                .add(DeviceMemory.address(dX))
                .add(DeviceMemory.address(dOut))
                .add(DeviceMemory.address(x))
                .add(width)
                .add(DeviceMemory.address(weight))
                .add(epsilon)
                .end();
    }

    @Override
    public void headNorm(
            Tensor out,
            Tensor x,
            int rows,
            int stride,
            int firstHead,
            int heads,
            int headSize,
            Tensor weight,
            float epsilon) {
        Sizes.requireHeads(out, x, rows, stride, firstHead, heads, headSize);
        Sizes.require("weight", weight, headSize);
        if (rows > 0 && heads > 0) {
            kernels.rmsNorm(out, x, rows, stride, firstHead, heads, headSize, weight, epsilon);
        }
    }

    @Override
    public void headNormBackward(
            Tensor dX,
            Tensor x,
            int rows,
            int stride,
            int firstHead,
            int heads,
            int headSize,
            Tensor weight,
            float epsilon) {
        Sizes.requireHeads(dX, x, rows, stride, firstHead, heads, headSize);
        Sizes.require("weight", weight, headSize);
        rmsNormBackward(dX, dX, x, rows, stride, firstHead, heads, headSize, weight, epsilon, false);
    }

    @Override
    public void rope(
            Tensor x,
            int stride,
            int heads,
            int headSize,
            int[] positions,
            float[] cosines,
            float[] sines,
            int pairs,
            boolean backward) {
        Sizes.requireHeads(x, x, positions.length, stride, 0, heads, headSize);
        if (2 * pairs > headSize) {
            throw new IllegalArgumentException(2 * pairs + " rotary dimensions do not fit heads of " + headSize);
        }
        int last = Arrays.stream(positions).max().orElse(0);
        if ((last + 1L) * pairs > Math.min(cosines.length, sines.length)) {
            throw new IllegalArgumentException("position " + last + " is behind the end of the table of angles");
        }
        long count = (long) positions.length * heads * pairs;
        if (count == 0) {
            return;
        }
        long table = arrays.ints(positions);
        long cosineTable = arrays.constants(cosines);
        long sineTable = arrays.constants(sines);
        kernels.overElements("rope_by_table", count)
                .add(DeviceMemory.address(x))
                .add(stride)
                .add(table)
                .add(cosineTable)
                .add(sineTable)
                .add(positions.length)
                .add(heads)
                .add(headSize)
                .add(pairs)
                .add(backward ? -1f : 1f)
                .end();
    }

    @Override
    public void attention(Tensor out, Tensor logSums, Tensor heads, AttentionShape shape) {
        shape.require(out, logSums, heads);
        CudaKernels.requireHeadSize(shape.headSize());
        long bounds = arrays.ints(bounds(shape));
        byWarps("causal_attention", (long) shape.tokens() * shape.heads())
                .add(DeviceMemory.address(out))
                .add(DeviceMemory.address(logSums));
        addSequences(heads, bounds, shape);
    }

    @Override
    public void attentionBackward(
            Tensor dHeads, Tensor dOut, Tensor out, Tensor logSums, Tensor heads, AttentionShape shape) {
        shape.require(out, logSums, heads);
        shape.require(dOut, logSums, dHeads);
        CudaKernels.requireHeadSize(shape.headSize());
        long bounds = arrays.ints(bounds(shape));
        long products = sums.floats((long) shape.tokens() * shape.heads());
        byWarps("causal_attention_queries", (long) shape.tokens() * shape.heads())
                .add(DeviceMemory.address(dHeads))
                .add(products)
                .add(DeviceMemory.address(dOut))
                .add(DeviceMemory.address(out))
                .add(DeviceMemory.address(logSums));
        addSequences(heads, bounds, shape);
        byWarps("causal_attention_keys", (long) shape.tokens() * shape.keyValueHeads())
                .add(DeviceMemory.address(dHeads))
                .add(products)
                .add(DeviceMemory.address(dOut))
                .add(DeviceMemory.address(logSums));
        addSequences(heads, bounds, shape);
    }

    /** [T, 2]: where the sequence of each token begins and ends. */
    private static int[] bounds(AttentionShape shape) {
        int[] bounds = new int[2 * shape.tokens()];
        for (int s = 0; s + 1 < shape.starts().length; s++) {
            for (int t = shape.starts()[s]; t < shape.starts()[s + 1]; t++) {
                bounds[2 * t] = shape.starts()[s];
                bounds[2 * t + 1] = shape.starts()[s + 1];
            }
        }
        return bounds;
    }

    private Commands byWarps(String kernel, long rows) {
        return commands.launch(kernel, Math.ceilDiv(rows, (long) WARPS_A_BLOCK), 1, 1, SMALL_BLOCK);
    }

    private void addSequences(Tensor heads, long bounds, AttentionShape shape) {
        commands.add(DeviceMemory.address(heads))
                .add(bounds)
                .add(shape.tokens())
                .add(shape.heads())
                .add(shape.keyValueHeads())
                .add(shape.headSize())
                .add(shape.window())
                .add(shape.scale())
                .end();
    }

    @Override
    public void swiGlu(Tensor out, Tensor gateUp, @Nullable Tensor kept, int rows, int width) {
        if (kept != null) {
            throw new IllegalArgumentException("gates are kept in F32 on the GPU");
        }
        Sizes.require("out", out, (long) rows * width);
        Sizes.require("gate and up", gateUp, 2L * rows * width);
        kernels.overElements("swiglu_rows", (long) rows * width)
                .add(DeviceMemory.address(out))
                .add(DeviceMemory.address(gateUp))
                .add(rows)
                .add(width)
                .end();
    }

    @Override
    public void swiGluBackward(Tensor dGateUp, Tensor dOut, Tensor gateUp, int rows, int width) {
        Sizes.require("dGateUp", dGateUp, 2L * rows * width);
        Sizes.require("dOut", dOut, (long) rows * width);
        Sizes.require("gate and up", gateUp, 2L * rows * width);
        kernels.overElements("swiglu_backward", (long) rows * width)
                .add(DeviceMemory.address(dGateUp))
                .add(DeviceMemory.address(dOut))
                .add(DeviceMemory.address(gateUp))
                .add(rows)
                .add(width)
                .end();
    }

    @Override
    public void gelu(Tensor out, Tensor x, int count, boolean tanh) {
        Sizes.require("out", out, count);
        Sizes.require("x", x, count);
        kernels.gelu(tanh ? "gelu_tanh" : "gelu_erf", out, x, count);
    }

    @Override
    public void geluBackward(Tensor dX, Tensor dOut, Tensor x, int count, boolean tanh) {
        Sizes.require("dX", dX, count);
        Sizes.require("dOut", dOut, count);
        Sizes.require("x", x, count);
        kernels.overElements(tanh ? "gelu_tanh_backward" : "gelu_erf_backward", count)
                .add(DeviceMemory.address(dX))
                .add(DeviceMemory.address(dOut))
                .add(DeviceMemory.address(x))
                .add(count)
                .end();
    }

    @Override
    public double crossEntropy(
            Tensor logits, int[] targets, int rows, int vocabulary, double smoothing, float gradientScale) {
        Sizes.requireTargets(logits, targets, rows, vocabulary);
        if (rows == 0) {
            return 0;
        }
        long table = arrays.ints(targets);
        long losses = sums.floats(2L * rows);
        commands.launch("cross_entropy", rows, 1, 1, ENTROPY_THREADS)
                .add(losses)
                .add(DeviceMemory.address(logits))
                .add(table)
                .add(vocabulary)
                .add(smoothing)
                .add(gradientScale)
                .end();
        return sum(losses, rows);
    }

    @Override
    public void dropout(Tensor out, Tensor x, int rows, int width, int seed, float probability) {
        int count = Math.multiplyExact(rows, width);
        Sizes.require("out", out, count);
        Sizes.require("x", x, count);
        kernels.overElements("dropout", count)
                .add(DeviceMemory.address(out))
                .add(DeviceMemory.address(x))
                .add(count)
                .add(seed)
                .add((int) (probability * 0x1p31))
                .add(1 / (1 - probability))
                .end();
    }

    @Override
    public void close() {
        if (moments != null) {
            moments.close();
        }
        arrays.close();
        parts.close();
        sums.close();
    }
}
