package dev.tsumugi.launcher.doctor;

import org.jspecify.annotations.Nullable;

/**
 * One thing that was looked at.
 *
 * @param what such as {@code memory}
 * @param found what is the case, with figures
 * @param mend what to do; null when nothing needs doing
 */
public record Finding(
        State state, String what, String found, @Nullable String mend) {
    /** {@code WRONG} keeps Tsumugi from running, {@code POOR} makes it slow or may do so later. */
    public enum State {
        OK,
        POOR,
        WRONG
    }

    static Finding ok(String what, String found) {
        return new Finding(State.OK, what, found, null);
    }

    static Finding poor(String what, String found, String mend) {
        return new Finding(State.POOR, what, found, mend);
    }

    static Finding wrong(String what, String found, String mend) {
        return new Finding(State.WRONG, what, found, mend);
    }
}
