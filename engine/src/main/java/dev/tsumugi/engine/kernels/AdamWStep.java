package dev.tsumugi.engine.kernels;

/**
 * One step of AdamW, arXiv 1711.05101.
 *
 * @param gradientFactor how many times gradients count, which shortens them
 * @param step from 1
 */
public record AdamWStep(float gradientFactor, int step, double learningRate, double weightDecay) {
    public static final double BETA_1 = 0.9;
    public static final double BETA_2 = 0.999;
    public static final double EPSILON = 1e-8;

    /** What the first moments are divided by, as they began at zero. */
    public double correction1() {
        return 1 - Math.pow(BETA_1, step);
    }

    /** What the roots of the second moments are divided by. */
    public double correction2() {
        return Math.sqrt(1 - Math.pow(BETA_2, step));
    }

    /** What is left of a value after the decay of one step. */
    public float kept() {
        return (float) (1 - learningRate * weightDecay);
    }
}
