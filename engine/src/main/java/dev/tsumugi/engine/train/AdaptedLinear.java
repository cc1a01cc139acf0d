package dev.tsumugi.engine.train;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Kernels;
import dev.tsumugi.engine.kernels.MatrixView;
import dev.tsumugi.engine.kernels.TrainingKernels;
import dev.tsumugi.engine.kernels.TrainingKernels.Addend;
import dev.tsumugi.engine.kernels.Weight;
import dev.tsumugi.engine.tensor.OwnedMemory;
import dev.tsumugi.engine.tensor.Tensor;
import dev.tsumugi.engine.train.BaseLinears.Frozen;
import dev.tsumugi.engine.train.LoraParameters.Adapted;
import dev.tsumugi.engine.train.LoraParameters.AdaptedGroup;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A frozen matrix and what is learned beside it: {@code out = W x + bias + scale * B A dropout(x)}, for each module of a group. Its backward adds to
 * the gradients of A and B, and gives that of x. Source: LoRA, arXiv 2106.09685.
 */
final class AdaptedLinear implements AutoCloseable {
    private final Kernels kernels;
    private final TrainingKernels training;
    private final Frozen frozen;
    private final LoraParameters parameters;
    private final @Nullable AdaptedGroup adapted;
    private final float dropout;
    private final int number;
    private final Scratchpad scratch;

    /** @param number tells its dropout from that of others */
    AdaptedLinear(
            Backend backend,
            Frozen frozen,
            LoraParameters parameters,
            @Nullable AdaptedGroup adapted,
            float dropout,
            int number,
            Scratchpad scratch) {
        kernels = backend.kernels();
        training = backend.trainingKernels();
        this.frozen = frozen;
        this.parameters = parameters;
        this.adapted = adapted;
        this.dropout = dropout;
        this.number = number;
        this.scratch = scratch;
    }

    boolean isAdapted() {
        return adapted != null;
    }

    /** R, or 0 without adapters. */
    int ranks() {
        return adapted == null ? 0 : adapted.ranks();
    }

    int inputs() {
        return frozen.forward().inputs();
    }

    int outputs() {
        return frozen.forward().outputs();
    }

    /**
     * @param out [rows, N]
     * @param x [rows, K]
     * @param shrunk [rows, R], kept for {@link #backward}: {@code scale * A x}
     * @param seed of the dropout; 0: none
     */
    void forward(Tensor out, Tensor x, int rows, Tensor shrunk, int seed) {
        AdaptedGroup group = adapted;
        if (group == null) {
            kernels.linear(out, x, rows, frozen.forward(), frozen.bias());
            return;
        }
        int k = group.inputs();
        int ranks = group.ranks();
        MatrixView u = MatrixView.of(shrunk, rows, ranks);
        MatrixView a = MatrixView.of(parameters.values(), group.a(), ranks, k);
        training.product(u, MatrixView.of(dropped(x, rows, seed), rows, k), a.transposed(), false);
        training.scale(shrunk, shrunk, rows * ranks, parameters.scale());
        Addend[] grown = new Addend[group.layers().size()];
        for (int i = 0; i < grown.length; i++) {
            Adapted layer = group.layers().get(i);
            grown[i] = new Addend(u.columns(layer.firstRank(), parameters.rank()), b(layer), layer.firstOutput());
        }
        training.linear(out, x, rows, frozen.forward(), frozen.bias(), grown);
    }

    private MatrixView b(Adapted layer) {
        return MatrixView.of(
                parameters.values(),
                layer.b(),
                parameters.rank(),
                layer.module().outputs());
    }

    /**
     * @param dX [rows, K], overwritten; null where nothing below learns
     * @param dOut [rows, N]
     * @param x as in the forward pass
     * @param shrunk of the forward pass
     * @param seed of the forward pass
     */
    void backward(@Nullable Tensor dX, Tensor dOut, Tensor x, int rows, Tensor shrunk, int seed) {
        AdaptedGroup group = adapted;
        if (group == null) {
            if (dX != null) {
                kernels.linear(dX, dOut, rows, Objects.requireNonNull(frozen.backward()), null);
            }
            return;
        }
        int k = group.inputs();
        int ranks = group.ranks();
        Tensor dShrunk = scratch.rows(Scratchpad.SHRUNK, rows, ranks);
        MatrixView u = MatrixView.of(shrunk, rows, ranks);
        MatrixView dU = MatrixView.of(dShrunk, rows, ranks);
        MatrixView all = MatrixView.of(dOut, rows, outputs());
        for (Adapted layer : group.layers()) {
            int outputs = layer.module().outputs();
            int rank = parameters.rank();
            MatrixView own = all.columns(layer.firstOutput(), outputs);
            training.product(dU.columns(layer.firstRank(), rank), own, b(layer).transposed(), false);
            training.product(
                    MatrixView.of(parameters.gradients(), layer.b(), rank, outputs),
                    u.columns(layer.firstRank(), rank).transposed(),
                    own,
                    true);
        }
        training.scale(dShrunk, dShrunk, rows * ranks, parameters.scale());
        training.product(
                MatrixView.of(parameters.gradients(), group.a(), ranks, k),
                dU.transposed(),
                MatrixView.of(dropped(x, rows, seed), rows, k),
                true);
        if (dX == null) {
            return;
        }
        Weight weight = Objects.requireNonNull(frozen.backward());
        MatrixView a = MatrixView.of(parameters.values(), group.a(), ranks, k);
        if (dropout == 0 || seed == 0) {
            training.linear(dX, dOut, rows, weight, null, new Addend(dU, a, 0));
        } else {
            kernels.linear(dX, dOut, rows, weight, null);
            Tensor through = scratch.rows(Scratchpad.DROPPED, rows, k);
            training.product(MatrixView.of(through, rows, k), dU, a, false);
            training.dropout(through, through, rows, k, own(seed), dropout);
            kernels.add(dX, through, rows * k);
        }
    }

    private Tensor dropped(Tensor x, int rows, int seed) {
        if (dropout == 0 || seed == 0) {
            return x;
        }
        Tensor dropped = scratch.rows(Scratchpad.DROPPED, rows, inputs());
        training.dropout(dropped, x, rows, inputs(), own(seed), dropout);
        return dropped;
    }

    private int own(int seed) {
        return (seed + number) * 0x9E3779B1;
    }

    @Override
    public void close() {
        if (frozen.backward() != null) {
            frozen.backward().close();
        }
        frozen.forward().close();
        if (frozen.bias() != null) {
            ((OwnedMemory) frozen.bias().memory()).close();
        }
    }
}
