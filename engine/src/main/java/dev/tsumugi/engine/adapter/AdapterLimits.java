package dev.tsumugi.engine.adapter;

/**
 * How many adapters are held ready.
 *
 * @param maxBytes memory of all of them together, as the model's backend keeps them
 * @param maxAdapters how many at most
 */
public record AdapterLimits(long maxBytes, int maxAdapters) {

    /** @throws IllegalArgumentException for a negative limit */
    public AdapterLimits {
        if (maxBytes < 0 || maxAdapters < 0) {
            throw new IllegalArgumentException("limits of " + maxBytes + " bytes and " + maxAdapters + " adapters");
        }
    }

    /** 256 MiB and 64 adapters. */
    public static AdapterLimits defaults() {
        return new AdapterLimits(256L << 20, 64);
    }
}
