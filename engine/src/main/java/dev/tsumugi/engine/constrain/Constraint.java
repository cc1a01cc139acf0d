package dev.tsumugi.engine.constrain;

import dev.tsumugi.engine.tokenizer.Tokenizer;

/** A compiled constraint on an answer, for one tokenizer. Made by {@link Constraints}; safe for use by many requests and threads at once. */
public final class Constraint {
    private final Automaton automaton;
    private final Tokenizer tokenizer;

    Constraint(Automaton automaton, Tokenizer tokenizer) {
        this.automaton = automaton;
        this.tokenizer = tokenizer;
    }

    /** The state before the first token of an answer. */
    public ConstraintState initial() {
        return automaton.initial();
    }

    /** The tokenizer whose ids it speaks of. */
    public Tokenizer tokenizer() {
        return tokenizer;
    }

    long bytes() {
        return automaton.bytes();
    }
}
