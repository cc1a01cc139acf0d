package dev.tsumugi.engine.constrain;

/**
 * Work that following a constraint may cost one answer: the masks of its tokens are computed beside those of all other answers, on one thread. There
 * is an amount to begin with and a little more for each token, so that a long answer may cost more than a short one. Masks that are known cost
 * nothing. Counted are the edges of the automaton that are looked at and the places that are entered, so the same answer costs the same
 * everywhere. For one answer, and one thread at a time.
 */
public final class ConstraintBudget {
    /** For one mask: some 50 ms, where a hundredth of it is usual. */
    static final long MOST_AT_ONCE = 12_000_000;

    /** Some 200 ms. */
    private static final long AT_FIRST = 48_000_000;

    /** Some 0.4 ms; a token of a string of bounded length takes a quarter of it. */
    private static final long A_TOKEN = 80_000;

    private long granted = AT_FIRST;
    private long spent;

    /** Work so far. */
    public long spent() {
        return spent;
    }

    void token() {
        granted += A_TOKEN;
    }

    /** What the next mask may cost. */
    long mostNow() {
        return Math.min(MOST_AT_ONCE, granted - spent);
    }

    void spend(long work) {
        spent += work;
    }
}
