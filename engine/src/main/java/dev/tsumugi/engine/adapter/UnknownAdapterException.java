package dev.tsumugi.engine.adapter;

/** A request for an adapter that is not loaded. */
public final class UnknownAdapterException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    public UnknownAdapterException(String digest) {
        super("no adapter " + digest + " is loaded; load it first");
    }
}
