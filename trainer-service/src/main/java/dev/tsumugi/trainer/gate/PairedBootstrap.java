package dev.tsumugi.trainer.gate;

import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * How sure a difference is: the same questions drawn with replacement many times, candidate and champion judged on the same draw (Efron and
 * Tibshirani, An Introduction to the Bootstrap, 1993). Seeded: the same scores give the same figures.
 *
 * @param mean of candidate minus champion
 * @param low 2.5 % of the draws lie below
 * @param high 2.5 % of the draws lie above
 */
public record PairedBootstrap(double mean, double low, double high) {
    private static final int DRAWS = 2000;

    /**
     * @param candidate [N] a score for each question
     * @param champion [N] of the same questions
     */
    static PairedBootstrap of(double[] candidate, double[] champion, long seed) {
        int n = candidate.length;
        if (n == 0 || champion.length != n) {
            throw new IllegalArgumentException(n + " and " + champion.length + " scores");
        }
        double[] difference = new double[n];
        for (int i = 0; i < n; i++) {
            difference[i] = candidate[i] - champion[i];
        }
        SplittableRandom random = new SplittableRandom(seed);
        double[] means = new double[DRAWS];
        for (int draw = 0; draw < DRAWS; draw++) {
            double sum = 0;
            for (int i = 0; i < n; i++) {
                sum += difference[random.nextInt(n)];
            }
            means[draw] = sum / n;
        }
        Arrays.sort(means);
        return new PairedBootstrap(
                Arrays.stream(difference).average().orElseThrow(),
                means[(int) (0.025 * DRAWS)],
                means[(int) (0.975 * DRAWS)]);
    }
}
