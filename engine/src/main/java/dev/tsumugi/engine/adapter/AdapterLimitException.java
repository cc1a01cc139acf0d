package dev.tsumugi.engine.adapter;

/** An adapter for which there is no room: unload another, or raise the limit. */
public final class AdapterLimitException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    AdapterLimitException(String message) {
        super(message);
    }
}
