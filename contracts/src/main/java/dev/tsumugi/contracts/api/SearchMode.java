package dev.tsumugi.contracts.api;

import java.util.Locale;

/** Which legs of the index answer a query; {@code hybrid}, the default, fuses both by reciprocal rank. */
public enum SearchMode {
    HYBRID,
    VECTOR,
    LEXICAL;

    /** In JSON a mode is written in small letters. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
