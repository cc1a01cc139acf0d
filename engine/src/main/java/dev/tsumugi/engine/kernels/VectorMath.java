package dev.tsumugi.engine.kernels;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/** Transcendental functions on vectors, by polynomials: the same bits on every processor. */
final class VectorMath {
    private static final float LOG2_E = 1.44269504088896341f;
    /** ln 2 in two parts, the first exact in few bits, so that the product with a small integer is exact too. */
    private static final float LN2_HIGH = 0.693359375f;

    private static final float LN2_LOW = -2.12194440e-4f;
    /** Adding and subtracting it rounds to an integer. */
    private static final float ROUND = 0x1.8p23f;

    private static final float SQRT_HALF = 0.70710678118654752f;
    private static final float SQRT_TWO_OVER_PI = 0.79788456080286536f;

    private VectorMath() {}

    /** e^x to 2 units in the last place within -87..88; 0 below, e^88 above. */
    static FloatVector exp(FloatVector x) {
        FloatVector clamped = x.max(-87f).min(88f);
        FloatVector n = clamped.mul(LOG2_E).add(ROUND).sub(ROUND);
        FloatVector r = n.mul(-LN2_HIGH).add(clamped);
        r = n.mul(-LN2_LOW).add(r);
        // Minimax coefficients of (e^r - 1 - r) / r^2 on -ln2/2..ln2/2: Moshier, Cephes library.
        FloatVector p = r.mul(1.9875691500e-4f).add(1.3981999507e-3f);
        p = p.fma(r, FloatVector.broadcast(Lanes.F, 8.3334519073e-3f));
        p = p.fma(r, FloatVector.broadcast(Lanes.F, 4.1665795894e-2f));
        p = p.fma(r, FloatVector.broadcast(Lanes.F, 1.6666665459e-1f));
        p = p.fma(r, FloatVector.broadcast(Lanes.F, 5.0000001201e-1f));
        FloatVector result = p.fma(r.mul(r), r).add(1f);
        IntVector exponent = (IntVector) n.convertShape(VectorOperators.F2I, Lanes.I, 0);
        return result.mul(exponent.add(127).lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats())
                .blend(0f, x.lt(-87f));
    }

    /** {@code x * sigmoid(x)}. */
    static FloatVector silu(FloatVector x) {
        return x.div(exp(x.neg()).add(1f));
    }

    /** {@code x/2 * (1 + erf(x / sqrt 2))}, with erf to 1.5e-7: Abramowitz and Stegun, 7.1.26. */
    static FloatVector geluErf(FloatVector x) {
        FloatVector a = x.abs().mul(SQRT_HALF);
        FloatVector t = FloatVector.broadcast(Lanes.F, 1f).div(a.mul(0.3275911f).add(1f));
        FloatVector p = t.mul(1.061405429f).add(-1.453152027f);
        p = p.fma(t, FloatVector.broadcast(Lanes.F, 1.421413741f));
        p = p.fma(t, FloatVector.broadcast(Lanes.F, -0.284496736f));
        p = p.fma(t, FloatVector.broadcast(Lanes.F, 0.254829592f));
        // Half of the complement of erf(|a|): what is missing from 1 on the positive side, and all there is on the
        // negative.
        FloatVector tail = p.mul(t).mul(exp(a.mul(a).neg())).mul(0.5f);
        FloatVector factor = tail.neg().add(1f).blend(tail, x.lt(0f));
        return x.mul(factor);
    }

    /** {@code x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))}, as {@code x * sigmoid} of twice the inner term. */
    static FloatVector geluTanh(FloatVector x) {
        FloatVector inner = x.mul(x).mul(0.044715f).add(1f).mul(x).mul(SQRT_TWO_OVER_PI);
        return x.div(exp(inner.mul(-2f)).add(1f));
    }
}
