package dev.tsumugi.engine.train;

import dev.tsumugi.engine.train.TrainingSettings.Schedule;

/** The learning rate of each step, as the schedulers of Hugging Face Transformers give it: the first step of a warm-up has rate 0. */
final class LearningRate {
    private static final double POLYNOMIAL_END = 1e-7;

    private LearningRate() {}

    /** @param step from 1 to {@code steps} */
    static double of(Schedule schedule, double peak, int warmUpSteps, int steps, int step) {
        return of(schedule, peak, warmUpSteps, steps, step, POLYNOMIAL_END, 1);
    }

    static double of(
            Schedule schedule, double peak, int warmUpSteps, int steps, int step, double polynomialEnd, double power) {
        int done = step - 1;
        if (done < warmUpSteps) {
            return peak * done / Math.max(1, warmUpSteps);
        }
        int falling = Math.max(1, steps - warmUpSteps);
        double progress = Math.min(1, (double) (done - warmUpSteps) / falling);
        return switch (schedule) {
            case LINEAR -> peak * Math.max(0, (double) (steps - done) / falling);
            case COSINE -> peak * Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));
            case POLYNOMIAL ->
                progress >= 1 ? polynomialEnd : (peak - polynomialEnd) * Math.pow(1 - progress, power) + polynomialEnd;
        };
    }
}
