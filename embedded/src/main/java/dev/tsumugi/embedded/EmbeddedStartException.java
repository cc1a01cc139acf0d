package dev.tsumugi.embedded;

import org.jspecify.annotations.Nullable;

/** An embedded part that could not start; the message says why and what to do. */
public class EmbeddedStartException extends RuntimeException {
    EmbeddedStartException(String message) {
        super(message);
    }

    EmbeddedStartException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
