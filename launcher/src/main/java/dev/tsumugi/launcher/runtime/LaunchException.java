package dev.tsumugi.launcher.runtime;

import org.jspecify.annotations.Nullable;

/** Something that a person can mend; the message says how. Shown without a stack trace. */
public final class LaunchException extends RuntimeException {
    public LaunchException(String message) {
        super(message);
    }

    public LaunchException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
