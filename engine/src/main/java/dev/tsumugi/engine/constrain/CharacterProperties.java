package dev.tsumugi.engine.constrain;

import java.lang.Character.UnicodeScript;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.IntPredicate;

/** Characters by general category ({@code L}, {@code Lu}, ...) or script ({@code Script=Han}, {@code sc=Han}, {@code IsHan}). */
final class CharacterProperties {
    private static final Map<String, Integer> CATEGORIES = Map.ofEntries(
            Map.entry("Lu", (int) Character.UPPERCASE_LETTER),
            Map.entry("Ll", (int) Character.LOWERCASE_LETTER),
            Map.entry("Lt", (int) Character.TITLECASE_LETTER),
            Map.entry("Lm", (int) Character.MODIFIER_LETTER),
            Map.entry("Lo", (int) Character.OTHER_LETTER),
            Map.entry("Mn", (int) Character.NON_SPACING_MARK),
            Map.entry("Mc", (int) Character.COMBINING_SPACING_MARK),
            Map.entry("Me", (int) Character.ENCLOSING_MARK),
            Map.entry("Nd", (int) Character.DECIMAL_DIGIT_NUMBER),
            Map.entry("Nl", (int) Character.LETTER_NUMBER),
            Map.entry("No", (int) Character.OTHER_NUMBER),
            Map.entry("Pc", (int) Character.CONNECTOR_PUNCTUATION),
            Map.entry("Pd", (int) Character.DASH_PUNCTUATION),
            Map.entry("Ps", (int) Character.START_PUNCTUATION),
            Map.entry("Pe", (int) Character.END_PUNCTUATION),
            Map.entry("Pi", (int) Character.INITIAL_QUOTE_PUNCTUATION),
            Map.entry("Pf", (int) Character.FINAL_QUOTE_PUNCTUATION),
            Map.entry("Po", (int) Character.OTHER_PUNCTUATION),
            Map.entry("Sm", (int) Character.MATH_SYMBOL),
            Map.entry("Sc", (int) Character.CURRENCY_SYMBOL),
            Map.entry("Sk", (int) Character.MODIFIER_SYMBOL),
            Map.entry("So", (int) Character.OTHER_SYMBOL),
            Map.entry("Zs", (int) Character.SPACE_SEPARATOR));

    /** By category or script, however a pattern spells it: so there are few, and each costs one look at all characters once. */
    private static final Map<String, CharSet> OF_CATEGORY = new ConcurrentHashMap<>();

    private static final Map<UnicodeScript, CharSet> OF_SCRIPT = new ConcurrentHashMap<>();

    private CharacterProperties() {}

    /** @throws IllegalArgumentException for a name that is not known */
    static CharSet named(String name, boolean negated) {
        CharSet set = named(name);
        return negated ? set.complement() : set;
    }

    private static CharSet named(String name) {
        List<Integer> types = CATEGORIES.entrySet().stream()
                .filter(entry -> !name.isEmpty() && entry.getKey().startsWith(name))
                .map(Map.Entry::getValue)
                .toList();
        if (!types.isEmpty()) {
            return OF_CATEGORY.computeIfAbsent(name, _ -> scan(c -> types.contains(Character.getType(c))));
        }
        for (String prefix : List.of("Script=", "sc=", "Is")) {
            if (name.startsWith(prefix)) {
                UnicodeScript script = UnicodeScript.forName(name.substring(prefix.length()));
                return OF_SCRIPT.computeIfAbsent(script, _ -> scan(c -> UnicodeScript.of(c) == script));
            }
        }
        throw new IllegalArgumentException(name);
    }

    private static CharSet scan(IntPredicate predicate) {
        int[] pairs = new int[256];
        int size = 0;
        boolean inside = false;
        for (int c = 0; c <= Character.MAX_CODE_POINT + 1; c++) {
            boolean has = c <= Character.MAX_CODE_POINT && predicate.test(c);
            if (has != inside) {
                if (size == pairs.length) {
                    pairs = Arrays.copyOf(pairs, size * 2);
                }
                pairs[size++] = has ? c : c - 1;
                inside = has;
            }
        }
        return CharSet.ofRanges(Arrays.copyOf(pairs, size));
    }
}
