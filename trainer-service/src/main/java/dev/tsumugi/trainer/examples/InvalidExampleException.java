package dev.tsumugi.trainer.examples;

/** An example that breaks a rule; the message says which. */
public final class InvalidExampleException extends RuntimeException {
    InvalidExampleException(String message) {
        super(message);
    }
}
