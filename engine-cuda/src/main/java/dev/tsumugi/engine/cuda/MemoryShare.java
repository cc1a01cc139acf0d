package dev.tsumugi.engine.cuda;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How much of a GPU's free memory this process may take: a part of it ({@code 0.9}) or a size ({@code 20GiB}, {@code 800MiB}). Two processes that
 * share a GPU are given sizes.
 */
record MemoryShare(double part, long bytes) {
    static final String PROPERTY = "tsumugi.gpu.memory";

    /** Leaves a tenth to the driver, the desktop and growing contexts. */
    static final MemoryShare DEFAULT = new MemoryShare(0.9, 0);

    private static final Pattern SIZE = Pattern.compile("(\\d{1,7})\\s*(mib|gib)");
    private static final Pattern PART = Pattern.compile("0?\\.\\d{1,4}|1(\\.0{1,4})?");

    /** @throws IllegalArgumentException for anything else */
    static MemoryShare parse(String text) {
        String value = text.strip().toLowerCase(Locale.ROOT);
        Matcher size = SIZE.matcher(value);
        if (size.matches()) {
            return new MemoryShare(
                    0, Long.parseLong(size.group(1)) << (size.group(2).equals("gib") ? 30 : 20));
        }
        if (PART.matcher(value).matches() && Double.parseDouble(value) > 0) {
            return new MemoryShare(Double.parseDouble(value), 0);
        }
        throw new IllegalArgumentException(
                PROPERTY + " is '" + text + "'; give a part of the free memory such as 0.9, or a size such as 20GiB");
    }

    static MemoryShare configured() {
        String text = System.getProperty(PROPERTY);
        return text == null ? DEFAULT : parse(text);
    }

    /** @throws IllegalStateException when a size is asked for that is not free */
    long of(long free) {
        if (bytes > free) {
            throw new IllegalStateException(PROPERTY + " asks for " + (bytes >> 20) + " MiB, but the GPU has only "
                    + (free >> 20) + " MiB free; ask for less or end what uses it (nvidia-smi)");
        }
        return bytes > 0 ? bytes : (long) (part * free);
    }
}
