package dev.tsumugi.launcher.client;

import org.jspecify.annotations.Nullable;

/** The gateway refused, or cannot be reached; the message says why and what to do. */
public final class GatewayException extends RuntimeException {
    private final int status;

    GatewayException(int status, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.status = status;
    }

    /** HTTP status, 0 when there was no answer. */
    public int status() {
        return status;
    }
}
