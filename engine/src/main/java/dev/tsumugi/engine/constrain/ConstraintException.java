package dev.tsumugi.engine.constrain;

/** A constraint that cannot be compiled or has become too costly: what is wrong, where, and what to write instead. The caller's error. */
public final class ConstraintException extends IllegalArgumentException {
    ConstraintException(String message) {
        super(message);
    }
}
