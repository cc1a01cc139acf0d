package dev.tsumugi.engine.kernels;

import static java.lang.invoke.MethodHandles.lookup;

import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.invoke.MethodHandle;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import org.jspecify.annotations.Nullable;

/** {@link TrainingKernels} by the Vector API, shared out over a team: each task owns the outputs that it writes, and sums them in one order. */
final class VectorTrainingKernels implements TrainingKernels, AutoCloseable {
    private static final int SPAN = 16384;
    private static final int ROWS = 16;
    private static final int PRODUCT_ROWS = 16 * FloatProduct.ROWS;
    private static final int PRODUCT_COLUMNS = 2 * FloatProduct.TALL_VECTORS * Lanes.L;

    private final FloatProduct products = new FloatProduct();
    private final RowProduct rowProducts = new RowProduct();
    private final MethodHandle swiGluRow =
            Separate.method(lookup(), "swiGluRow", long.class, long.class, long.class, int.class);
    private final MethodHandle swiGluKeepingRow =
            Separate.method(lookup(), "swiGluKeepingRow", long.class, long.class, long.class, int.class);
    private final MethodHandle swiGluRoundedRow =
            Separate.method(lookup(), "swiGluRoundedRow", long.class, long.class, int.class);
    private final MethodHandle swiGluBackwardRoundedRow =
            Separate.method(lookup(), "swiGluBackwardRoundedRow", long.class, long.class, long.class, int.class);
    private final MethodHandle swiGluBackwardRow =
            Separate.method(lookup(), "swiGluBackwardRow", long.class, long.class, long.class, int.class, int.class);
    private final MethodHandle swiGluBackwardRest =
            Separate.method(lookup(), "swiGluBackwardRest", long.class, long.class, long.class, int.class, int.class);
    private final MethodHandle exponentials =
            Separate.method(lookup(), "exponentials", long.class, int.class, float.class, double[].class, int.class);
    private final MethodHandle probabilities =
            Separate.method(lookup(), "probabilities", long.class, int.class, float.class, float.class, float.class);
    private final ThreadTeam team;
    private final Kernels kernels;
    private final Scratch[] scratch;
    private final TrainingAttention attention;

    VectorTrainingKernels(ThreadTeam team, Kernels kernels) {
        this.team = team;
        this.kernels = kernels;
        scratch = new Scratch[team.size()];
        for (int i = 0; i < scratch.length; i++) {
            scratch[i] = new Scratch();
        }
        attention = new TrainingAttention(team, scratch);
    }

    @Override
    public void close() {
        attention.close();
        for (Scratch memory : scratch) {
            memory.close();
        }
    }

    @Override
    public void product(MatrixView out, MatrixView a, MatrixView b, boolean add) {
        Sizes.requireProduct(out, a, b);
        boolean turned = b.columnStride() != 1;
        if (out.columnStride() != 1 || turned && (b.rowStride() != 1 || a.columnStride() != 1)) {
            throw new IllegalArgumentException(
                    "rows of the product must be contiguous, and rows or columns of the right"
                            + " factor; rows of the left one where these columns are");
        }
        long c = address(out);
        long left = address(a);
        long right = address(b);
        long cRow = out.rowStride() * Lanes.FLOAT_BYTES;
        long aRow = a.rowStride() * Lanes.FLOAT_BYTES;
        long aColumn = a.columnStride() * Lanes.FLOAT_BYTES;
        long bRow = (turned ? b.columnStride() : b.rowStride()) * Lanes.FLOAT_BYTES;
        boolean byRows = turned || out.rows() >= 2 * PRODUCT_ROWS || out.columns() <= PRODUCT_COLUMNS;
        int part = byRows ? PRODUCT_ROWS : PRODUCT_COLUMNS;
        int items = byRows ? out.rows() : out.columns();
        team.run(Math.ceilDiv(items, part), (task, member) -> {
            int from = task * part;
            int count = Math.min(part, items - from);
            int rows = byRows ? count : out.rows();
            int columns = byRows ? out.columns() : count;
            long to = c + (byRows ? from * cRow : from * Lanes.FLOAT_BYTES);
            if (!add) {
                for (int r = 0; r < rows; r++) {
                    Lanes.zero(to + r * cRow, columns * Lanes.FLOAT_BYTES);
                }
            }
            if (turned) {
                long at = left + from * aRow;
                long room = scratch[member].address(RowProduct.ROOM * Lanes.VECTOR_BYTES);
                rowProducts.add(to, cRow, at, aRow, right, bRow, rows, columns, a.columns(), room);
                return;
            }
            products.add(
                    to,
                    cRow,
                    byRows ? left + from * aRow : left,
                    aRow,
                    aColumn,
                    byRows ? right : right + from * Lanes.FLOAT_BYTES,
                    bRow,
                    rows,
                    columns,
                    a.columns());
        });
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

    private static long address(MatrixView view) {
        return VectorKernels.address(view.tensor()) + view.offset() * Lanes.FLOAT_BYTES;
    }

    @Override
    public void scale(Tensor out, Tensor x, int count, float factor) {
        Sizes.require("out", out, count);
        Sizes.require("x", x, count);
        long o = VectorKernels.address(out);
        long in = VectorKernels.address(x);
        bySpans(count, (from, end) -> {
            for (int i = from; i < end; i += Lanes.L) {
                long at = i * Lanes.FLOAT_BYTES;
                Lanes.store(Lanes.load(in + at, end - i).mul(factor), o + at, end - i);
            }
        });
    }

    @Override
    public void rmsNormBackward(Tensor dX, Tensor dOut, Tensor x, int rows, int width, Tensor weight, float epsilon) {
        Sizes.requireNorm(dX, x, rows, width, weight);
        Sizes.require("dOut", dOut, (long) rows * width);
        long to = VectorKernels.address(dX);
        long slope = VectorKernels.address(dOut);
        long in = VectorKernels.address(x);
        long w = VectorKernels.address(weight);
        byRows(rows, (from, end) -> {
            for (int r = from; r < end; r++) {
                long offset = (long) r * width * Lanes.FLOAT_BYTES;
                rmsNormBackwardRow(to + offset, true, slope + offset, in + offset, width, w, epsilon);
            }
        });
    }

    /** With g = dOut * weight and s = 1 / sqrt(mean(x^2) + epsilon): {@code dX (+)= s g - x s^3 (g . x) / width}. */
    private static void rmsNormBackwardRow(
            long dX, boolean add, long dOut, long x, int width, long weight, float epsilon) {
        FloatVector squares = FloatVector.zero(Lanes.F);
        FloatVector products = FloatVector.zero(Lanes.F);
        for (int c = 0; c < width; c += Lanes.L) {
            long at = c * Lanes.FLOAT_BYTES;
            FloatVector value = Lanes.load(x + at, width - c);
            squares = value.fma(value, squares);
            FloatVector slope = Lanes.load(dOut + at, width - c).mul(Lanes.load(weight + at, width - c));
            products = value.fma(slope, products);
        }
        double inverse = 1 / Math.sqrt(Lanes.sum(squares) / (double) width + epsilon);
        float scale = (float) inverse;
        float shared = (float) (-inverse * inverse * inverse * Lanes.sum(products) / width);
        for (int c = 0; c < width; c += Lanes.L) {
            long at = c * Lanes.FLOAT_BYTES;
            FloatVector slope = Lanes.load(dOut + at, width - c)
                    .mul(Lanes.load(weight + at, width - c))
                    .mul(scale);
            FloatVector result = Lanes.load(x + at, width - c).mul(shared).add(slope);
            if (add) {
                result = result.add(Lanes.load(dX + at, width - c));
            }
            Lanes.store(result, dX + at, width - c);
        }
    }

    @Override
    public void layerNormBackward(Tensor dX, Tensor dOut, Tensor x, int rows, int width, Tensor weight, float epsilon) {
        Sizes.requireNorm(dX, x, rows, width, weight);
        Sizes.require("dOut", dOut, (long) rows * width);
        long to = VectorKernels.address(dX);
        long slope = VectorKernels.address(dOut);
        long in = VectorKernels.address(x);
        long w = VectorKernels.address(weight);
        byRows(rows, (from, end) -> {
            for (int r = from; r < end; r++) {
                long offset = (long) r * width * Lanes.FLOAT_BYTES;
                layerNormBackwardRow(to + offset, slope + offset, in + offset, width, w, epsilon);
            }
        });
    }

    /** With g = dOut * weight, n the normalized row and s its scale: {@code dX += s (g - mean(g) - n mean(g n))}. */
    private static void layerNormBackwardRow(long dX, long dOut, long x, int width, long weight, float epsilon) {
        FloatVector sum = FloatVector.zero(Lanes.F);
        for (int c = 0; c < width; c += Lanes.L) {
            sum = sum.add(Lanes.load(x + c * Lanes.FLOAT_BYTES, width - c));
        }
        float mean = Lanes.sum(sum) / width;
        FloatVector squares = FloatVector.zero(Lanes.F);
        FloatVector slopes = FloatVector.zero(Lanes.F);
        FloatVector products = FloatVector.zero(Lanes.F);
        for (int c = 0; c < width; c += Lanes.L) {
            long at = c * Lanes.FLOAT_BYTES;
            VectorMask<Float> mask = Lanes.F.indexInRange(c, width);
            FloatVector value = FloatVector.zero(Lanes.F)
                    .blend(Lanes.load(x + at, width - c).sub(mean), mask);
            FloatVector slope = Lanes.load(dOut + at, width - c).mul(Lanes.load(weight + at, width - c));
            squares = value.fma(value, squares);
            slopes = slopes.add(slope);
            products = value.fma(slope, products);
        }
        float scale = (float) (1 / Math.sqrt(Lanes.sum(squares) / (double) width + epsilon));
        float meanSlope = Lanes.sum(slopes) / width;
        float shared = scale * scale * Lanes.sum(products) / width;
        for (int c = 0; c < width; c += Lanes.L) {
            long at = c * Lanes.FLOAT_BYTES;
            FloatVector slope = Lanes.load(dOut + at, width - c).mul(Lanes.load(weight + at, width - c));
            FloatVector own = Lanes.load(x + at, width - c).sub(mean).mul(shared);
            FloatVector result = slope.sub(meanSlope).sub(own).mul(scale);
            Lanes.store(result.add(Lanes.load(dX + at, width - c)), dX + at, width - c);
        }
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
        long o = VectorKernels.address(out);
        long in = VectorKernels.address(x);
        long w = VectorKernels.address(weight);
        byRows(rows, (from, end) -> {
            for (int r = from; r < end; r++) {
                for (int h = firstHead; h < firstHead + heads; h++) {
                    long at = ((long) r * stride + (long) h * headSize) * Lanes.FLOAT_BYTES;
                    VectorKernels.rmsNormRow(o + at, in + at, headSize, w, epsilon);
                }
            }
        });
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
        long to = VectorKernels.address(dX);
        long in = VectorKernels.address(x);
        long w = VectorKernels.address(weight);
        byRows(rows, (from, end) -> {
            for (int r = from; r < end; r++) {
                for (int h = firstHead; h < firstHead + heads; h++) {
                    long at = ((long) r * stride + (long) h * headSize) * Lanes.FLOAT_BYTES;
                    rmsNormBackwardRow(to + at, false, to + at, in + at, headSize, w, epsilon);
                }
            }
        });
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
        long in = VectorKernels.address(x);
        byRows(positions.length, (from, end) -> {
            for (int t = from; t < end; t++) {
                int angle = positions[t] * pairs;
                for (int h = 0; h < heads; h++) {
                    long at = in + ((long) t * stride + (long) h * headSize) * Lanes.FLOAT_BYTES;
                    rotate(at, cosines, sines, angle, pairs, backward);
                }
            }
        });
    }

    private static void rotate(long head, float[] cosines, float[] sines, int angle, int pairs, boolean backward) {
        long apart = pairs * Lanes.FLOAT_BYTES;
        int i = 0;
        for (; i + Lanes.L <= pairs; i += Lanes.L) {
            long at = head + i * Lanes.FLOAT_BYTES;
            FloatVector cos = FloatVector.fromArray(Lanes.F, cosines, angle + i);
            FloatVector sin = FloatVector.fromArray(Lanes.F, sines, angle + i);
            if (backward) {
                sin = sin.neg();
            }
            FloatVector a = Lanes.load(at);
            FloatVector b = Lanes.load(at + apart);
            Lanes.store(a.mul(cos).sub(b.mul(sin)), at);
            Lanes.store(b.mul(cos).add(a.mul(sin)), at + apart);
        }
        for (; i < pairs; i++) {
            long at = head + i * Lanes.FLOAT_BYTES;
            float cos = cosines[angle + i];
            float sin = backward ? -sines[angle + i] : sines[angle + i];
            float a = Lanes.getFloat(at);
            float b = Lanes.getFloat(at + apart);
            Lanes.setFloat(at, a * cos - b * sin);
            Lanes.setFloat(at + apart, b * cos + a * sin);
        }
    }

    @Override
    public void attention(Tensor out, Tensor logSums, Tensor heads, AttentionShape shape) {
        shape.require(out, logSums, heads);
        attention.forward(
                VectorKernels.address(out), VectorKernels.address(logSums), VectorKernels.address(heads), shape);
    }

    @Override
    public void attentionBackward(
            Tensor dHeads, Tensor dOut, Tensor out, Tensor logSums, Tensor heads, AttentionShape shape) {
        shape.require(out, logSums, heads);
        shape.require(dOut, logSums, dHeads);
        attention.backward(
                VectorKernels.address(dHeads),
                VectorKernels.address(dOut),
                VectorKernels.address(out),
                VectorKernels.address(logSums),
                VectorKernels.address(heads),
                shape);
    }

    @Override
    public void swiGlu(Tensor out, Tensor gateUp, @Nullable Tensor kept, int rows, int width) {
        Sizes.require("out", out, (long) rows * width);
        requireGateUp(gateUp, rows, width);
        long o = VectorKernels.address(out);
        long in = gateUp.segment().address();
        boolean rounded = gateUp.dtype() == DType.BF16;
        if (kept != null) {
            requireGateUp(kept, rows, width);
            if (rounded || kept.dtype() != DType.BF16) {
                throw new IllegalArgumentException(gateUp.dtype() + " cannot be kept as " + kept.dtype());
            }
        }
        long keep = kept == null ? 0 : kept.segment().address();
        byRows(rows, (from, end) -> {
            for (int r = from; r < end; r++) {
                long to = o + (long) r * width * Lanes.FLOAT_BYTES;
                long first = 2L * r * width;
                if (rounded) {
                    swiGluRoundedRow.invokeExact(to, in + first * Short.BYTES, width);
                } else if (keep != 0) {
                    long gate = in + first * Lanes.FLOAT_BYTES;
                    swiGluKeepingRow.invokeExact(to, gate, keep + first * Short.BYTES, width);
                } else {
                    long gate = in + first * Lanes.FLOAT_BYTES;
                    swiGluRow.invokeExact(to, gate, gate + width * Lanes.FLOAT_BYTES, width);
                }
            }
        });
    }

    private static void requireGateUp(Tensor gateUp, int rows, int width) {
        if (gateUp.dtype() == DType.BF16
                ? width % Lanes.L != 0 || gateUp.shape().elements() < 2L * rows * width
                : gateUp.dtype() != DType.F32) {
            throw new IllegalArgumentException("gate and up of " + rows + " rows of " + width
                    + " must be F32, or BF16 in" + " whole vectors, and are " + gateUp.dtype() + " " + gateUp.shape());
        }
        if (gateUp.dtype() == DType.F32) {
            Sizes.require("gate and up", gateUp, 2L * rows * width);
        }
    }

    private static void swiGluRow(long out, long gate, long up, int width) {
        for (int i = 0; i < width; i += Lanes.L) {
            long at = i * Lanes.FLOAT_BYTES;
            FloatVector value =
                    VectorMath.silu(Lanes.load(gate + at, width - i)).mul(Lanes.load(up + at, width - i));
            Lanes.store(value, out + at, width - i);
        }
    }

    private static void swiGluKeepingRow(long out, long gate, long kept, int width) {
        long apart = width * Lanes.FLOAT_BYTES;
        for (int i = 0; i < width; i += Lanes.L) {
            long at = i * Lanes.FLOAT_BYTES;
            FloatVector g = Lanes.load(gate + at);
            FloatVector up = Lanes.load(gate + apart + at);
            Lanes.storeBFloat16(g, kept + at / 2);
            Lanes.storeBFloat16(up, kept + (apart + at) / 2);
            VectorMath.silu(g).mul(up).intoMemorySegment(Lanes.ALL, out + at, Lanes.ORDER);
        }
    }

    private static void swiGluRoundedRow(long out, long gate, int width) {
        long apart = width * (long) Short.BYTES;
        for (int i = 0; i < width; i += Lanes.L) {
            long at = gate + i * (long) Short.BYTES;
            FloatVector value = VectorMath.silu(Lanes.loadBFloat16(at)).mul(Lanes.loadBFloat16(at + apart));
            value.intoMemorySegment(Lanes.ALL, out + i * Lanes.FLOAT_BYTES, Lanes.ORDER);
        }
    }

    @Override
    public void swiGluBackward(Tensor dGateUp, Tensor dOut, Tensor gateUp, int rows, int width) {
        Sizes.require("dOut", dOut, (long) rows * width);
        requireGateUp(gateUp, rows, width);
        Sizes.require("their gradient", dGateUp, 2L * rows * width);
        long to = VectorKernels.address(dGateUp);
        long in = gateUp.segment().address();
        long slope = VectorKernels.address(dOut);
        boolean rounded = gateUp.dtype() == DType.BF16;
        byRows(rows, (from, end) -> {
            for (int r = from; r < end; r++) {
                long row = 2L * r * width * Lanes.FLOAT_BYTES;
                long dRow = slope + (long) r * width * Lanes.FLOAT_BYTES;
                if (rounded) {
                    swiGluBackwardRoundedRow.invokeExact(to + row, dRow, in + row / 2, width);
                    continue;
                }
                int whole = width & -Lanes.L;
                swiGluBackwardRow.invokeExact(to + row, dRow, in + row, width, whole);
                if (whole < width) {
                    long rest = whole * Lanes.FLOAT_BYTES;
                    swiGluBackwardRest.invokeExact(to + row + rest, dRow + rest, in + row + rest, width, width - whole);
                }
            }
        });
    }

    private static void swiGluBackwardRoundedRow(long dGate, long dOut, long gate, int width) {
        long apart = width * Lanes.FLOAT_BYTES;
        for (int i = 0; i < width; i += Lanes.L) {
            long at = i * Lanes.FLOAT_BYTES;
            FloatVector g = Lanes.loadBFloat16(gate + at / 2);
            FloatVector s = VectorMath.sigmoid(g);
            FloatVector ds = Lanes.load(dOut + at).mul(s);
            FloatVector rising = VectorMath.ONE.sub(s).fma(g, VectorMath.ONE);
            ds.mul(Lanes.loadBFloat16(gate + (apart + at) / 2))
                    .mul(rising)
                    .intoMemorySegment(Lanes.ALL, dGate + at, Lanes.ORDER);
            ds.mul(g).intoMemorySegment(Lanes.ALL, dGate + apart + at, Lanes.ORDER);
        }
    }

    /**
     * With s = sigmoid(gate): {@code dUp = d gate s}, {@code dGate = d up s (1 + gate (1 - s))}. Whole vectors only: with the masks of a rest it
     * would be more than HotSpot inlines.
     */
    private static void swiGluBackwardRow(long dGate, long dOut, long gate, int width, int count) {
        long apart = width * Lanes.FLOAT_BYTES;
        for (int i = 0; i < count; i += Lanes.L) {
            long at = i * Lanes.FLOAT_BYTES;
            FloatVector g = Lanes.load(gate + at);
            FloatVector s = VectorMath.sigmoid(g);
            FloatVector ds = Lanes.load(dOut + at).mul(s);
            FloatVector rising = VectorMath.ONE.sub(s).fma(g, VectorMath.ONE);
            ds.mul(Lanes.load(gate + apart + at)).mul(rising).intoMemorySegment(Lanes.ALL, dGate + at, Lanes.ORDER);
            ds.mul(g).intoMemorySegment(Lanes.ALL, dGate + apart + at, Lanes.ORDER);
        }
    }

    /** The same of the last {@code count} elements of a row, less than a vector; addresses are theirs. */
    private static void swiGluBackwardRest(long dGate, long dOut, long gate, int width, int count) {
        long apart = width * Lanes.FLOAT_BYTES;
        FloatVector g = Lanes.load(gate, count);
        FloatVector s = VectorMath.sigmoid(g);
        FloatVector ds = Lanes.load(dOut, count).mul(s);
        FloatVector rising = VectorMath.ONE.sub(s).fma(g, VectorMath.ONE);
        FloatVector up = Lanes.load(gate + apart, count);
        Lanes.store(ds.mul(up).mul(rising), dGate, count);
        Lanes.store(ds.mul(g), dGate + apart, count);
    }

    @Override
    public void gelu(Tensor out, Tensor x, int count, boolean tanh) {
        Sizes.require("out", out, count);
        Sizes.require("x", x, count);
        long o = VectorKernels.address(out);
        long in = VectorKernels.address(x);
        bySpans(count, (from, end) -> {
            for (int i = from; i < end; i += Lanes.L) {
                long at = i * Lanes.FLOAT_BYTES;
                FloatVector value = Lanes.load(in + at, end - i);
                Lanes.store(tanh ? VectorMath.geluTanh(value) : VectorMath.geluErf(value), o + at, end - i);
            }
        });
    }

    @Override
    public void geluBackward(Tensor dX, Tensor dOut, Tensor x, int count, boolean tanh) {
        Sizes.require("dX", dX, count);
        Sizes.require("dOut", dOut, count);
        Sizes.require("x", x, count);
        long to = VectorKernels.address(dX);
        long slope = VectorKernels.address(dOut);
        long in = VectorKernels.address(x);
        bySpans(count, (from, end) -> {
            for (int i = from; i < end; i += Lanes.L) {
                long at = i * Lanes.FLOAT_BYTES;
                FloatVector value = Lanes.load(in + at, end - i);
                FloatVector rising = tanh ? VectorMath.geluTanhSlope(value) : VectorMath.geluErfSlope(value);
                Lanes.store(rising.mul(Lanes.load(slope + at, end - i)), to + at, end - i);
            }
        });
    }

    @Override
    public double crossEntropy(
            Tensor logits, int[] targets, int rows, int vocabulary, double smoothing, float gradientScale) {
        Sizes.requireTargets(logits, targets, rows, vocabulary);
        long in = VectorKernels.address(logits);
        double[] losses = new double[rows];
        team.run(rows, (r, member) -> {
            long row = in + (long) r * vocabulary * Lanes.FLOAT_BYTES;
            try {
                crossEntropyRow(row, targets[r], vocabulary, smoothing, gradientScale, losses, r);
            } catch (Throwable e) {
                throw Separate.rethrown(e);
            }
        });
        double sum = 0;
        for (double loss : losses) {
            sum += loss;
        }
        return sum;
    }

    private void crossEntropyRow(
            long row, int target, int vocabulary, double smoothing, float gradientScale, double[] losses, int index)
            throws Throwable {
        float most = largest(row, vocabulary);
        exponentials.invokeExact(row, vocabulary, most, losses, index);
        double logSum = most + Math.log(losses[index]);
        double aimed = Lanes.getFloat(row + target * Lanes.FLOAT_BYTES);
        double loss = (1 - smoothing) * (logSum - aimed);
        if (smoothing > 0) {
            loss += smoothing * (logSum - sum(row, vocabulary) / vocabulary);
        }
        if (gradientScale != 0) {
            probabilities.invokeExact(row, vocabulary, (float) logSum, gradientScale, (float) (smoothing / vocabulary));
            long at = row + target * Lanes.FLOAT_BYTES;
            Lanes.setFloat(at, Lanes.getFloat(at) - gradientScale * (float) (1 - smoothing));
        }
        losses[index] = loss;
    }

    private static float largest(long row, int count) {
        FloatVector most = FloatVector.broadcast(Lanes.F, Float.NEGATIVE_INFINITY);
        int i = 0;
        for (; i + Lanes.L <= count; i += Lanes.L) {
            most = most.max(Lanes.load(row + i * Lanes.FLOAT_BYTES));
        }
        float result = most.reduceLanes(VectorOperators.MAX);
        for (; i < count; i++) {
            result = Math.max(result, Lanes.getFloat(row + i * Lanes.FLOAT_BYTES));
        }
        return result;
    }

    /** Writes the sum to {@code total[index]}. */
    private static void exponentials(long row, int count, float most, double[] total, int index) {
        FloatVector sums = FloatVector.zero(Lanes.F);
        int i = 0;
        for (; i + Lanes.L <= count; i += Lanes.L) {
            sums = sums.add(
                    VectorMath.exp(Lanes.load(row + i * Lanes.FLOAT_BYTES).sub(most)));
        }
        double sum = Lanes.sum(sums);
        for (; i < count; i++) {
            sum += Math.exp(Lanes.getFloat(row + i * Lanes.FLOAT_BYTES) - (double) most);
        }
        total[index] = sum;
    }

    private static double sum(long row, int count) {
        FloatVector sums = FloatVector.zero(Lanes.F);
        for (int i = 0; i < count; i += Lanes.L) {
            sums = sums.add(Lanes.load(row + i * Lanes.FLOAT_BYTES, count - i));
        }
        return Lanes.sum(sums);
    }

    /** {@code row = scale * (exp(row - logSum) - less)}. */
    private static void probabilities(long row, int count, float logSum, float scale, float less) {
        for (int i = 0; i < count; i += Lanes.L) {
            long at = row + i * Lanes.FLOAT_BYTES;
            FloatVector p = VectorMath.exp(Lanes.load(at, count - i).sub(logSum));
            Lanes.store(p.sub(less).mul(scale), at, count - i);
        }
    }

    @Override
    public void dropout(Tensor out, Tensor x, int rows, int width, int seed, float probability) {
        Sizes.require("out", out, (long) rows * width);
        Sizes.require("x", x, (long) rows * width);
        long o = VectorKernels.address(out);
        long in = VectorKernels.address(x);
        int count = Math.multiplyExact(rows, width);
        float kept = 1 / (1 - probability);
        int limit = (int) (probability * 0x1p31);
        bySpans(count, (from, end) -> {
            for (int i = from; i < end; i += Lanes.L) {
                long at = i * Lanes.FLOAT_BYTES;
                VectorMask<Integer> keep = draw(i, seed).compare(VectorOperators.GE, limit);
                FloatVector value = Lanes.load(in + at, end - i).mul(kept);
                Lanes.store(FloatVector.zero(Lanes.F).blend(value, keep.cast(Lanes.F)), o + at, end - i);
            }
        });
    }

    /** 31 random bits for each element from {@code first} on: a mixing of its index and the seed (Wellons, "Prospecting for hash functions"). */
    private static IntVector draw(int first, int seed) {
        IntVector x = IntVector.broadcast(Lanes.I, first).addIndex(1).add(seed);
        x = x.lanewise(VectorOperators.XOR, x.lanewise(VectorOperators.LSHR, 16))
                .mul(0x7feb352d);
        x = x.lanewise(VectorOperators.XOR, x.lanewise(VectorOperators.LSHR, 15))
                .mul(0x846ca68b);
        return x.lanewise(VectorOperators.XOR, x.lanewise(VectorOperators.LSHR, 16))
                .lanewise(VectorOperators.LSHR, 1);
    }

    private interface Range {
        void run(int from, int end) throws Throwable;
    }

    private void byRows(int rows, Range range) {
        byParts(rows, ROWS, range);
    }

    private void bySpans(int count, Range range) {
        byParts(count, SPAN, range);
    }

    private void byParts(int items, int part, Range range) {
        team.run(Math.ceilDiv(items, part), (task, member) -> {
            try {
                range.run(task * part, Math.min(items, (task + 1) * part));
            } catch (Throwable e) {
                throw Separate.rethrown(e);
            }
        });
    }
}
