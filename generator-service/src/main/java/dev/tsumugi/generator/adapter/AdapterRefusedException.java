package dev.tsumugi.generator.adapter;

import org.jspecify.annotations.Nullable;

/** An adapter that this model cannot answer with; the message says why. */
final class AdapterRefusedException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    AdapterRefusedException(String reason, @Nullable Throwable cause) {
        super(reason, cause);
    }
}
