package dev.tsumugi.engine.kernels;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/** Transcendental functions on vectors, by polynomials: the same bits on every processor. */
final class VectorMath {
    // Vectors, not numbers: to spread a number anew is code that counts against what HotSpot inlines (see Separate).
    private static final FloatVector ZERO = FloatVector.zero(Lanes.F);
    static final FloatVector ONE = spread(1f);
    private static final FloatVector LEAST = spread(-87f);
    private static final FloatVector MOST = spread(88f);
    private static final FloatVector LOG2_E = spread(1.44269504088896341f);
    /** ln 2 in two parts, the first exact in few bits, so that the product with a small integer is exact too. */
    private static final FloatVector MINUS_LN2_HIGH = spread(-0.693359375f);

    private static final FloatVector MINUS_LN2_LOW = spread(2.12194440e-4f);
    /** Adding and subtracting it rounds to an integer. */
    private static final FloatVector ROUND = spread(0x1.8p23f);
    /** Minimax coefficients of (e^r - 1 - r) / r^2 on -ln2/2..ln2/2: Moshier, Cephes library. */
    private static final FloatVector P0 = spread(1.9875691500e-4f);

    private static final FloatVector P1 = spread(1.3981999507e-3f);
    private static final FloatVector P2 = spread(8.3334519073e-3f);
    private static final FloatVector P3 = spread(4.1665795894e-2f);
    private static final FloatVector P4 = spread(1.6666665459e-1f);
    private static final FloatVector P5 = spread(5.0000001201e-1f);
    private static final IntVector BIAS = IntVector.broadcast(Lanes.I, 127);

    private static final float SQRT_HALF = 0.70710678118654752f;
    private static final float SQRT_TWO_OVER_PI = 0.79788456080286536f;
    private static final float HALF_SQRT_TWO_OVER_PI = 0.39894228040143268f;

    private VectorMath() {}

    private static FloatVector spread(float value) {
        return FloatVector.broadcast(Lanes.F, value);
    }

    /** e^x to 2 units in the last place within -87..88; 0 below, e^88 above. */
    static FloatVector exp(FloatVector x) {
        FloatVector clamped = x.max(LEAST).min(MOST);
        FloatVector n = clamped.mul(LOG2_E).add(ROUND).sub(ROUND);
        FloatVector r = n.mul(MINUS_LN2_HIGH).add(clamped);
        r = n.mul(MINUS_LN2_LOW).add(r);
        FloatVector p = r.mul(P0).add(P1);
        p = p.fma(r, P2);
        p = p.fma(r, P3);
        p = p.fma(r, P4);
        p = p.fma(r, P5);
        FloatVector result = p.fma(r.mul(r), r).add(ONE);
        IntVector exponent = (IntVector) n.convertShape(VectorOperators.F2I, Lanes.I, 0);
        IntVector power = exponent.add(BIAS).lanewise(VectorOperators.LSHL, 23);
        return result.mul(power.reinterpretAsFloats()).blend(ZERO, x.lt(LEAST));
    }

    static FloatVector sigmoid(FloatVector x) {
        return ONE.div(exp(x.neg()).add(ONE));
    }

    /** {@code x * sigmoid(x)}. */
    static FloatVector silu(FloatVector x) {
        return x.div(exp(x.neg()).add(ONE));
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

    /** The derivative of {@link #geluErf}: {@code Phi(x) + x phi(x)} of the normal distribution. */
    static FloatVector geluErfSlope(FloatVector x) {
        FloatVector a = x.abs().mul(SQRT_HALF);
        FloatVector t = FloatVector.broadcast(Lanes.F, 1f).div(a.mul(0.3275911f).add(1f));
        FloatVector p = t.mul(1.061405429f).add(-1.453152027f);
        p = p.fma(t, FloatVector.broadcast(Lanes.F, 1.421413741f));
        p = p.fma(t, FloatVector.broadcast(Lanes.F, -0.284496736f));
        p = p.fma(t, FloatVector.broadcast(Lanes.F, 0.254829592f));
        FloatVector bell = exp(a.mul(a).neg());
        FloatVector tail = p.mul(t).mul(bell).mul(0.5f);
        FloatVector share = tail.neg().add(1f).blend(tail, x.lt(0f));
        return x.mul(bell).mul(HALF_SQRT_TWO_OVER_PI).add(share);
    }

    /** The derivative of {@link #geluTanh}, which is {@code x sigmoid(u)} with u twice the inner term: {@code s + x s (1 - s) u'}. */
    static FloatVector geluTanhSlope(FloatVector x) {
        FloatVector square = x.mul(x);
        FloatVector inner = square.mul(0.044715f).add(1f).mul(x).mul(2 * SQRT_TWO_OVER_PI);
        FloatVector rising = square.mul(3 * 0.044715f).add(1f).mul(2 * SQRT_TWO_OVER_PI);
        FloatVector s = sigmoid(inner);
        return s.neg().add(1f).mul(s).mul(x).mul(rising).add(s);
    }
}
