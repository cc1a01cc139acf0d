package dev.tsumugi.engine.serve;

/**
 * How often the guesses for one sequence come true, by how many tokens before them agreed. What was seen fades, and begins with what answers
 * from documents usually show. Guesses that were not drafted are counted too, so a sequence that begins to quote is noticed at no cost.
 */
final class Acceptance {
    private static final double[] USUAL = {0.3, 0.6, 0.7, 0.8, 0.85, 0.92};
    private static final double USUAL_WEIGHT = 2;
    private static final double FADING = 0.9;

    private final double[] hits = new double[USUAL.length];
    private final double[] tries = new double[USUAL.length];

    /** Probability that the next token is the guessed one, when the {@code agreeing} before it were. */
    double probability(int agreeing) {
        int kind = kind(agreeing);
        return (hits[kind] + USUAL_WEIGHT * USUAL[kind]) / (tries[kind] + USUAL_WEIGHT);
    }

    void count(int agreeing, boolean hit) {
        int kind = kind(agreeing);
        hits[kind] = hits[kind] * FADING + (hit ? 1 : 0);
        tries[kind] = tries[kind] * FADING + 1;
    }

    private static int kind(int agreeing) {
        return switch (agreeing) {
            case 1, 2, 3 -> agreeing - 1;
            case 4, 5 -> 3;
            case 6, 7, 8 -> 4;
            default -> 5;
        };
    }
}
