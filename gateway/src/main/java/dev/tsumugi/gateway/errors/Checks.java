package dev.tsumugi.gateway.errors;

import org.jspecify.annotations.Nullable;

/** Rules for single fields of a request; a broken one becomes a 400 that names the field. */
public final class Checks {
    private Checks() {}

    /** A text that must be there and not blank. */
    public static String text(String field, @Nullable String value, int maxLength) {
        if (value == null || value.isBlank()) {
            throw Problems.field(field, "is missing or blank");
        }
        if (value.length() > maxLength) {
            throw Problems.field(field, "must be at most " + maxLength + " characters long, but has " + value.length());
        }
        return value;
    }

    public static int range(String field, @Nullable Integer value, int min, int max, int absent) {
        if (value == null) {
            return absent;
        }
        if (value < min || value > max) {
            throw Problems.field(field, "must be " + min + " to " + max + ", but is " + value);
        }
        return value;
    }
}
