package dev.tsumugi.platform.kafka;

import org.jspecify.annotations.Nullable;

/** A record that can never be processed, however often it is tried; the message says why and goes into the dead-letter headers. */
public class InvalidEventException extends RuntimeException {
    public InvalidEventException(String message) {
        super(message);
    }

    public InvalidEventException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
