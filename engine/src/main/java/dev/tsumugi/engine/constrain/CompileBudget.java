package dev.tsumugi.engine.constrain;

/** Work that compiling one schema may take: short schemas can be written whose references or alternatives multiply without end. */
final class CompileBudget {
    /** Schemas, names and values that are looked at: a few hundred are usual, and all of these take about a second. */
    private static final int MOST_STEPS = 500_000;

    private int steps;

    /** @throws ConstraintException when it is used up */
    void spend(int more) {
        if (more > MOST_STEPS - steps) {
            throw new ConstraintException("The schema takes more than " + MOST_STEPS + " steps to compile."
                    + " Use fewer alternatives in oneOf, or anyOf in its place, and fewer references to references.");
        }
        steps += more;
    }
}
