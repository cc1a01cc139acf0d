package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.tensor.Tensor;
import java.util.List;

/**
 * Low-rank updates, in host memory, of linear layers that read one activation: each output {@code o} of {@link Up} becomes {@code o + scale * B
 * (A x)}, where A and scale are those of its {@link Down}. Outputs that share an A (a fused matrix that is computed in parts) name the same
 * one. Source: LoRA, arXiv 2106.09685.
 *
 * @param inputs K
 */
public record LowRankSource(int inputs, List<Down> downs, List<Up> ups) {

    /**
     * From the activation to the rank.
     *
     * @param a [rank, K], F32, F16 or BF16
     */
    public record Down(Tensor a, float scale) {}

    /**
     * From the rank to one output.
     *
     * @param output which of the tensors that {@link Kernels#addLowRank} is given
     * @param down index into {@link #downs}
     * @param b [any, rank], F32, F16 or BF16
     * @param rows [N] which row of {@code b} each element of the output takes
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    public record Up(int output, int down, Tensor b, int[] rows) {}

    /** @throws IllegalArgumentException when shapes, ranks or indices do not fit together */
    public LowRankSource {
        downs = List.copyOf(downs);
        ups = List.copyOf(ups);
        for (Down down : downs) {
            Sizes.requireMatrix(down.a());
            if (down.a().shape().get(1) != inputs) {
                throw new IllegalArgumentException("A has shape " + down.a().shape() + " over " + inputs + " inputs");
            }
        }
        for (Up up : ups) {
            Sizes.requireMatrix(up.b());
            long rank = downs.get(up.down()).a().shape().get(0);
            if (up.b().shape().get(1) != rank || up.output() < 0 || up.rows().length == 0) {
                throw new IllegalArgumentException("B has shape " + up.b().shape() + " behind an A of rank " + rank
                        + ", for output " + up.output() + " of " + up.rows().length);
            }
            for (int row : up.rows()) {
                if (row < 0 || row >= up.b().shape().get(0)) {
                    throw new IllegalArgumentException("row " + row + " is outside of a B of shape "
                            + up.b().shape());
                }
            }
        }
    }

    /** Ranks of all A's together. */
    int rank() {
        int rank = 0;
        for (Down down : downs) {
            rank += (int) down.a().shape().get(0);
        }
        return rank;
    }
}
