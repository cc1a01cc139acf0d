package dev.tsumugi.engine.constrain;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** Texts of each {@code format} of JSON Schema that are valid beyond doubt: every match is valid, though not every valid text matches. */
final class StringFormats {
    private static final String DATE = "[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
            + "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))";
    private static final String TIME =
            "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,9})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])";
    private static final String LABEL = "[A-Za-z0-9]{1,20}(?:-[A-Za-z0-9]{1,20}){0,2}";
    private static final String TOP = "[A-Za-z]{2,10}";
    private static final String HOST = "(?:" + LABEL + "\\.){0,4}" + TOP;
    private static final String BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
    private static final String GROUP = "[0-9a-fA-F]{1,4}";
    private static final String CLOCK =
            "T(?:[0-9]{1,4}H(?:[0-9]{1,4}M(?:[0-9]{1,4}S)?)?|[0-9]{1,4}M(?:[0-9]{1,4}S)?|[0-9]{1,4}S)";
    private static final String DAYS =
            "(?:[0-9]{1,4}Y(?:[0-9]{1,4}M(?:[0-9]{1,4}D)?)?|[0-9]{1,4}M(?:[0-9]{1,4}D)?|[0-9]{1,4}D)";
    private static final String PATH = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-F]{2})*";

    private static final Map<String, String> PATTERNS = new TreeMap<>(Map.of(
            "date", DATE,
            "time", TIME,
            "date-time", DATE + "T" + TIME,
            "duration", "P(?:[0-9]{1,4}W|" + DAYS + "(?:" + CLOCK + ")?|" + CLOCK + ")",
            "email", "[A-Za-z0-9_+-]{1,20}(?:\\.[A-Za-z0-9_+-]{1,20}){0,2}@(?:" + LABEL + "\\.){1,3}" + TOP,
            "hostname", HOST,
            "ipv4", BYTE + "(?:\\." + BYTE + "){3}",
            "ipv6", "(?:" + GROUP + ":){7}" + GROUP + "|(?:" + GROUP + ":){1,6}:" + GROUP + "|::" + GROUP + "|::",
            "uri",
                    "[A-Za-z][A-Za-z0-9+.-]{0,15}://" + HOST + "(?::[1-9][0-9]{0,3})?(?:/" + PATH + ")*(?:\\?" + PATH
                            + ")?(?:#" + PATH + ")?",
            "uuid", "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"));

    private StringFormats() {}

    static @Nullable Regex named(String format) {
        String pattern = PATTERNS.get(format);
        return pattern == null ? null : RegexParser.whole(pattern);
    }

    static List<String> names() {
        return List.copyOf(PATTERNS.keySet());
    }
}
