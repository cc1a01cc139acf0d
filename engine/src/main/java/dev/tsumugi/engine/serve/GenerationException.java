package dev.tsumugi.engine.serve;

import org.jspecify.annotations.Nullable;

/** An accepted request that could not be answered. */
public final class GenerationException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public GenerationException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
