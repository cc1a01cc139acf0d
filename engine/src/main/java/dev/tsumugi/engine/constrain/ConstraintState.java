package dev.tsumugi.engine.constrain;

import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * How far an answer has come under its constraint. Immutable to its users: {@link #after} gives another state, so going back is keeping the
 * old one. Equal texts lead to the same state. Safe for use by many threads.
 */
public final class ConstraintState {
    private final Automaton automaton;
    private final List<Automaton.Place> places;
    private final boolean accepting;
    private volatile @Nullable TokenMask mask;

    /** By byte class; filled as needed, and any thread that finds an entry finds a whole state, whose fields are final. */
    private final @Nullable ConstraintState[] next;

    ConstraintState(Automaton automaton, List<Automaton.Place> places, boolean accepting, int classes) {
        this.automaton = automaton;
        this.places = places;
        this.accepting = accepting;
        next = new ConstraintState[classes];
    }

    /**
     * The state after one more token.
     *
     * @throws IllegalArgumentException when the token is not allowed here
     */
    public ConstraintState after(int token) {
        ConstraintState state = automaton.after(this, token);
        if (state.isDead()) {
            throw new IllegalArgumentException("token " + token + " does not go on with the constraint");
        }
        return state;
    }

    /** Whether the text may end here, so that an end token is allowed. */
    public boolean isAccepting() {
        return accepting;
    }

    /** Whether the text must end here. */
    public boolean isComplete() {
        return accepting && places.isEmpty();
    }

    /** {@link #mask(ConstraintBudget)} for someone who asks only once. */
    public TokenMask mask() {
        return mask(new ConstraintBudget());
    }

    /**
     * Tokens that may come next, end tokens not among them. Empty only when the text {@linkplain #isComplete() must end}. Computed once.
     *
     * @param budget of the answer; pays for what is not known yet
     * @throws ConstraintException when the constraint has so many readings here that following them all costs too much
     */
    public TokenMask mask(ConstraintBudget budget) {
        budget.token();
        TokenMask known = mask;
        if (known == null) {
            known = automaton.maskOf(this, budget);
            mask = known;
        }
        return known;
    }

    /**
     * Sets the logits of all tokens that may not come next to minus infinity; those of {@code endTokens} stay where the text may end.
     *
     * @param logits {@code vocabulary} of them, from {@code from}
     * @param budget of the answer
     * @throws ConstraintException as {@link #mask(ConstraintBudget)}
     */
    public void restrict(float[] logits, int from, int vocabulary, Set<Integer> endTokens, ConstraintBudget budget) {
        float[] ends = new float[endTokens.size()];
        int end = 0;
        for (int id : endTokens) {
            ends[end++] = id < vocabulary ? logits[from + id] : 0;
        }
        mask(budget).apply(logits, from, vocabulary);
        end = 0;
        for (int id : endTokens) {
            float logit = ends[end++];
            if (id < vocabulary) {
                logits[from + id] = accepting ? logit : Float.NEGATIVE_INFINITY;
            }
        }
    }

    boolean isDead() {
        return places.isEmpty() && !accepting;
    }

    List<Automaton.Place> places() {
        return places;
    }

    @Nullable
    ConstraintState next(int byteClass) {
        return next[byteClass];
    }

    void setNext(int byteClass, ConstraintState state) {
        next[byteClass] = state;
    }
}
