package dev.tsumugi.bench.kernels;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/** The fp32 arithmetic of this machine: multiply-adds in registers, in as many chains as hide their latency and fit AVX2's registers. */
@State(Scope.Thread)
public class FusedMultiplyAdd {
    private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;
    private static final int CHAINS = 12;
    private static final int STEPS = 1 << 12;

    /** Multiplications and additions of one call in one thread. */
    public static final double OPERATIONS = 2.0 * CHAINS * STEPS * FLOATS.length();

    /** Fields, so that the compiler cannot compute the result; powers of 2, so that it is exact. */
    private float factor = 2;

    private float other = 0x1p-10f;

    /** Checks the sum. */
    @Setup
    public void check() {
        double starts = CHAINS * (CHAINS - 1) / 2.0;
        double expected = FLOATS.length() * (starts + (double) CHAINS * STEPS * factor * other);
        if (sum() != (float) expected) {
            throw new IllegalStateException("wrong sum of products: " + sum() + " instead of " + expected);
        }
    }

    /** Each chain starts elsewhere, so that the compiler cannot see two of them as one. */
    @Benchmark
    public float sum() {
        FloatVector x = FloatVector.broadcast(FLOATS, factor);
        FloatVector y = FloatVector.broadcast(FLOATS, other);
        FloatVector a = FloatVector.zero(FLOATS);
        FloatVector b = FloatVector.broadcast(FLOATS, 1);
        FloatVector c = FloatVector.broadcast(FLOATS, 2);
        FloatVector d = FloatVector.broadcast(FLOATS, 3);
        FloatVector e = FloatVector.broadcast(FLOATS, 4);
        FloatVector f = FloatVector.broadcast(FLOATS, 5);
        FloatVector g = FloatVector.broadcast(FLOATS, 6);
        FloatVector h = FloatVector.broadcast(FLOATS, 7);
        FloatVector i = FloatVector.broadcast(FLOATS, 8);
        FloatVector j = FloatVector.broadcast(FLOATS, 9);
        FloatVector k = FloatVector.broadcast(FLOATS, 10);
        FloatVector l = FloatVector.broadcast(FLOATS, 11);
        for (int step = 0; step < STEPS; step++) {
            a = x.fma(y, a);
            b = x.fma(y, b);
            c = x.fma(y, c);
            d = x.fma(y, d);
            e = x.fma(y, e);
            f = x.fma(y, f);
            g = x.fma(y, g);
            h = x.fma(y, h);
            i = x.fma(y, i);
            j = x.fma(y, j);
            k = x.fma(y, k);
            l = x.fma(y, l);
        }
        FloatVector sum =
                a.add(b).add(c.add(d)).add(e.add(f).add(g.add(h))).add(i.add(j).add(k.add(l)));
        return sum.reduceLanes(VectorOperators.ADD);
    }
}
