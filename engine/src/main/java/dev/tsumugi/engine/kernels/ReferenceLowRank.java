package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.quant.Dequantization;
import dev.tsumugi.engine.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Low-rank updates widened to fp32, added as the formula says with sums in double. */
final class ReferenceLowRank implements LowRankUpdates {

    /** One output of one update: {@code a} [rank][K], {@code b} [N][rank]. */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record Part(int output, int outputs, int inputs, int rank, float scale, float[] a, float[] b) {
        void add(Tensor out, Tensor x, int from, int end) {
            FloatView o = FloatView.of(out);
            FloatView in = FloatView.of(x);
            double[] shrunk = new double[rank];
            for (int t = from; t < end; t++) {
                for (int r = 0; r < rank; r++) {
                    shrunk[r] = 0;
                    for (int k = 0; k < inputs; k++) {
                        shrunk[r] += (double) a[r * inputs + k] * in.get((long) t * inputs + k);
                    }
                }
                for (int n = 0; n < outputs; n++) {
                    double sum = 0;
                    for (int r = 0; r < rank; r++) {
                        sum += b[n * rank + r] * shrunk[r];
                    }
                    long at = (long) t * outputs + n;
                    o.set(at, (float) (o.get(at) + scale * sum));
                }
            }
        }
    }

    private final List<List<Part>> updates = new ArrayList<>();
    private long bytes;

    ReferenceLowRank(List<@Nullable LowRankSource> sources) {
        for (LowRankSource source : sources) {
            List<Part> parts = new ArrayList<>();
            if (source != null) {
                source.ups().forEach(up -> parts.add(part(source, up)));
            }
            updates.add(parts);
        }
    }

    private Part part(LowRankSource source, LowRankSource.Up up) {
        LowRankSource.Down down = source.downs().get(up.down());
        int rank = (int) down.a().shape().get(0);
        float[] a = new float[rank * source.inputs()];
        for (int r = 0; r < rank; r++) {
            Dequantization.row(down.a(), r, a, r * source.inputs());
        }
        float[] b = new float[up.rows().length * rank];
        for (int n = 0; n < up.rows().length; n++) {
            Dequantization.row(up.b(), up.rows()[n], b, n * rank);
        }
        bytes += 4L * (a.length + b.length);
        return new Part(up.output(), up.rows().length, source.inputs(), rank, down.scale(), a, b);
    }

    static ReferenceLowRank of(LowRankUpdates updates) {
        if (updates instanceof ReferenceLowRank reference) {
            return reference;
        }
        throw new IllegalArgumentException("the adapter is of another backend");
    }

    void add(int number, Tensor[] outs, Tensor x, int from, int end) {
        for (Part part : updates.get(number)) {
            Sizes.requireLowRank(outs, part.output, part.outputs, x, part.inputs, end);
            part.add(outs[part.output], x, from, end);
        }
    }

    @Override
    public int count() {
        return updates.size();
    }

    @Override
    public long byteSize() {
        return bytes;
    }

    @Override
    public void close() {}
}
