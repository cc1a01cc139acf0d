package dev.tsumugi.platform.adapters;

/** An adapter has more bytes than one may have; nothing was stored. */
public final class AdapterTooLargeException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public AdapterTooLargeException(long maxBytes) {
        super("The adapter has more than " + maxBytes + " bytes. Train one of a lower rank or for fewer layers.");
    }
}
