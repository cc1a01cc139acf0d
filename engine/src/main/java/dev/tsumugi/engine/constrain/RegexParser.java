package dev.tsumugi.engine.constrain;

import java.util.ArrayList;
import java.util.List;

/**
 * Reads the part that the regular expressions of ECMAScript and Java have in common: characters and classes, groups, alternatives,
 * repetitions, and {@code ^} and {@code $} where an alternative begins and ends. Where the two differ, what both match: {@code \d}, {@code
 * \w} and {@code \s} are ASCII, their opposites leave out what either counts in, and the dot leaves out every line separator.
 */
final class RegexParser {
    private static final int LONGEST = 10_000;
    private static final int MOST_REPETITIONS = 16_384;
    private static final int DEEPEST = 100;

    private static final CharSet DIGIT = CharSet.range('0', '9');
    private static final CharSet WORD = CharSet.ofRanges('0', '9', 'A', 'Z', 'a', 'z', '_', '_');
    private static final CharSet SPACE = CharSet.of(" \t\n\u000B\f\r");

    /** What ECMAScript counts as white space. */
    private static final CharSet ANY_SPACE = SPACE.union(CharSet.ofRanges(
            0xA0, 0xA0, 0x1680, 0x1680, 0x2000, 0x200A, 0x2028, 0x2029, 0x202F, 0x202F, 0x205F, 0x205F, 0x3000, 0x3000,
            0xFEFF, 0xFEFF));

    private static final CharSet DOT = CharSet.of("\n\r\u0085\u2028\u2029").complement();

    private final String pattern;
    private int at;
    private int depth;

    private RegexParser(String pattern) {
        this.pattern = pattern;
    }

    /** The texts that {@code pattern} matches as a whole. */
    static Regex whole(String pattern) {
        return resolve(parse(pattern), false, false, pattern);
    }

    /** The texts in which {@code pattern} is found, as {@code pattern} of JSON Schema means it. */
    static Regex search(String pattern) {
        return resolve(parse(pattern), true, true, pattern);
    }

    private static Regex parse(String pattern) {
        if (pattern.length() > LONGEST) {
            throw new ConstraintException("The regular expression has " + pattern.length() + " characters; at most "
                    + LONGEST + " are read.");
        }
        RegexParser parser = new RegexParser(pattern);
        Regex regex = parser.choice();
        if (parser.at < pattern.length()) {
            throw parser.wrong("a ) closes nothing; write \\) for the character");
        }
        return regex;
    }

    /** @param openBefore whether other text may stand before a match that no anchor holds, and {@code openBehind} behind it */
    private static Regex resolve(Regex regex, boolean openBefore, boolean openBehind, String pattern) {
        if (regex instanceof Regex.Choice choice) {
            return new Regex.Choice(choice.alternatives().stream()
                    .map(alternative -> resolve(alternative, openBefore, openBehind, pattern))
                    .toList());
        }
        List<Regex> parts =
                new ArrayList<>(regex instanceof Regex.Sequence sequence ? sequence.parts() : List.of(regex));
        boolean before = openBefore;
        boolean behind = openBehind;
        while (!parts.isEmpty() && parts.getFirst() == Regex.Anchor.BEGINNING) {
            parts.removeFirst();
            before = false;
        }
        while (!parts.isEmpty() && parts.getLast() == Regex.Anchor.END) {
            parts.removeLast();
            behind = false;
        }
        if (parts.size() == 1
                && (parts.getFirst() instanceof Regex.Choice || parts.getFirst() instanceof Regex.Sequence)) {
            return resolve(parts.getFirst(), before, behind, pattern);
        }
        if (parts.stream().anyMatch(RegexParser::hasAnchor)) {
            throw new ConstraintException(
                    "The regular expression " + shown(pattern)
                            + " has a ^ or $ within it; they may only stand where it, or one of its alternatives, begins and ends.");
        }
        Regex anything = new Regex.Repeat(new Regex.Chars(CharSet.ALL), 0, Regex.UNLIMITED);
        if (before) {
            parts.addFirst(anything);
        }
        if (behind) {
            parts.addLast(anything);
        }
        return new Regex.Sequence(List.copyOf(parts));
    }

    private static boolean hasAnchor(Regex regex) {
        return switch (regex) {
            case Regex.Chars _ -> false;
            case Regex.Sequence s -> s.parts().stream().anyMatch(RegexParser::hasAnchor);
            case Regex.Choice c -> c.alternatives().stream().anyMatch(RegexParser::hasAnchor);
            case Regex.Repeat r -> hasAnchor(r.part());
            case Regex.Anchor _ -> true;
        };
    }

    private Regex choice() {
        if (++depth > DEEPEST) {
            throw wrong("groups are nested more than " + DEEPEST + " deep");
        }
        List<Regex> alternatives = new ArrayList<>();
        do {
            alternatives.add(sequence());
        } while (accept("|"));
        depth--;
        return alternatives.size() == 1 ? alternatives.getFirst() : new Regex.Choice(alternatives);
    }

    private Regex sequence() {
        List<Regex> parts = new ArrayList<>();
        while (at < pattern.length() && peek() != '|' && peek() != ')') {
            parts.add(repeated(atom()));
        }
        return parts.size() == 1 ? parts.getFirst() : new Regex.Sequence(parts);
    }

    private Regex repeated(Regex atom) {
        if (at == pattern.length()) {
            return atom;
        }
        Regex repeated;
        switch (peek()) {
            case '*' -> repeated = new Regex.Repeat(atom, 0, Regex.UNLIMITED);
            case '+' -> repeated = new Regex.Repeat(atom, 1, Regex.UNLIMITED);
            case '?' -> repeated = Regex.optional(atom);
            case '{' -> {
                return counted(atom);
            }
            default -> {
                return atom;
            }
        }
        at++;
        return repetition(atom, repeated);
    }

    private Regex counted(Regex atom) {
        at++;
        int min = number();
        int max = min;
        if (accept(",")) {
            max = at < pattern.length() && peek() == '}' ? Regex.UNLIMITED : number();
        }
        if (!accept("}")) {
            throw wrong("a repetition is {n}, {n,} or {n,m}; write \\{ for the character");
        }
        if (max != Regex.UNLIMITED && max < min) {
            throw wrong("a repetition counts from " + min + " to " + max);
        }
        return repetition(atom, new Regex.Repeat(atom, min, max));
    }

    /** What may stand behind a quantifier: a ? for the shortest match first changes nothing of what is matched as a whole. */
    private Regex repetition(Regex atom, Regex repeated) {
        if (atom instanceof Regex.Anchor) {
            throw wrong("^ and $ cannot be repeated");
        }
        accept("?");
        if (at < pattern.length() && "*+?{".indexOf(peek()) >= 0) {
            throw wrong(
                    "one repetition stands on another; possessive repetitions are not supported, and for others use a group");
        }
        return repeated;
    }

    private int number() {
        int begin = at;
        while (at < pattern.length() && peek() >= '0' && peek() <= '9') {
            at++;
        }
        if (at == begin || at - begin > 5 || Integer.parseInt(pattern.substring(begin, at)) > MOST_REPETITIONS) {
            throw wrong("a repetition counts from 0 to " + MOST_REPETITIONS);
        }
        return Integer.parseInt(pattern.substring(begin, at));
    }

    private Regex atom() {
        int c = next();
        return switch (c) {
            case '(' -> group();
            case '[' -> new Regex.Chars(characterClass());
            case '.' -> new Regex.Chars(DOT);
            case '^' -> Regex.Anchor.BEGINNING;
            case '$' -> Regex.Anchor.END;
            case '\\' -> new Regex.Chars(escape());
            case '*', '+', '?', '{' -> throw wrong("a repetition has nothing to repeat");
            default -> new Regex.Chars(CharSet.of(c));
        };
    }

    private Regex group() {
        if (accept("?")) {
            if (accept("<") && at < pattern.length() && Character.isLetter(peek())) {
                at = pattern.indexOf('>', at) + 1;
                if (at == 0) {
                    throw wrong("the name of a group has no end");
                }
            } else if (!accept(":")) {
                throw wrong(
                        "look-ahead, look-behind, atomic groups and flags, (?=, (?!, (?<, (?>, (?i, are not supported");
            }
        }
        Regex inner = choice();
        if (!accept(")")) {
            throw wrong("a group is not closed");
        }
        // A group stays one part of what is around it.
        return inner instanceof Regex.Anchor ? Regex.sequence(inner) : inner;
    }

    private CharSet characterClass() {
        boolean negated = accept("^");
        CharSet set = CharSet.NONE;
        boolean first = true;
        while (first || !accept("]")) {
            if (at >= pattern.length() || first && peek() == ']') {
                throw wrong("a character class is empty or not closed");
            }
            first = false;
            if (peek() == '[' || pattern.startsWith("&&", at)) {
                throw wrong("classes within classes are not supported; write \\[ or \\& for the character");
            }
            CharSet low = classMember();
            if (at + 1 < pattern.length() && peek() == '-' && pattern.charAt(at + 1) != ']') {
                at++;
                CharSet high = classMember();
                int from = only(low);
                int to = only(high);
                if (from > to) {
                    throw wrong("the range of a character class runs backwards");
                }
                set = set.union(CharSet.range(from, to));
            } else {
                set = set.union(low);
            }
        }
        return negated ? set.complement() : set;
    }

    private CharSet classMember() {
        int c = next();
        if (c != '\\') {
            return CharSet.of(c);
        }
        if (accept("b")) {
            return CharSet.of('\b');
        }
        return escape();
    }

    private int only(CharSet set) {
        int[] ranges = set.ranges();
        if (ranges.length != 2 || ranges[0] != ranges[1]) {
            throw wrong("the range of a character class begins or ends with more than one character");
        }
        return ranges[0];
    }

    private CharSet escape() {
        int c = next();
        return switch (c) {
            case 'd' -> DIGIT;
            case 'D' -> DIGIT.complement();
            case 'w' -> WORD;
            case 'W' -> WORD.complement();
            case 's' -> SPACE;
            case 'S' -> ANY_SPACE.complement();
            case 't' -> CharSet.of('\t');
            case 'n' -> CharSet.of('\n');
            case 'r' -> CharSet.of('\r');
            case 'f' -> CharSet.of('\f');
            case 'x' -> CharSet.of(hex(2));
            case 'u' -> CharSet.of(unicode());
            case 'p', 'P' -> property(c == 'P');
            case 'b', 'B' -> throw wrong("word boundaries, \\b and \\B, are not supported");
            default -> {
                if (Character.isLetterOrDigit(c)) {
                    throw wrong("\\" + Character.toString(c)
                            + " is not supported (back references and named characters are not)");
                }
                yield CharSet.of(c);
            }
        };
    }

    private CharSet property(boolean negated) {
        int end = pattern.indexOf('}', at);
        if (!accept("{") || end < 0) {
            throw wrong("a property is written \\p{L} or \\p{Script=Hiragana}");
        }
        String name = pattern.substring(at, end);
        at = end + 1;
        try {
            return CharacterProperties.named(name, negated);
        } catch (IllegalArgumentException e) {
            throw wrong("the property " + name + " is not known; use a general category or Script=");
        }
    }

    private int unicode() {
        if (!accept("{")) {
            int unit = hex(4);
            if (Character.isHighSurrogate((char) unit) && pattern.startsWith("\\u", at)) {
                at += 2;
                return Character.toCodePoint((char) unit, (char) hex(4));
            }
            return unit;
        }
        int end = pattern.indexOf('}', at);
        if (end < 0 || end - at > 6) {
            throw wrong("a character is written \\u0041 or \\u{1F600}");
        }
        int value = hex(end - at);
        at = end + 1;
        return value;
    }

    private int hex(int digits) {
        int value = 0;
        for (int i = 0; i < digits; i++) {
            int digit = at < pattern.length() ? Character.digit(pattern.charAt(at), 16) : -1;
            if (digit < 0) {
                throw wrong("a character is written \\x41, \\u0041 or \\u{1F600}");
            }
            value = value << 4 | digit;
            at++;
        }
        if (!Character.isValidCodePoint(value)) {
            throw wrong("there is no character U+" + Integer.toHexString(value));
        }
        return value;
    }

    private char peek() {
        return pattern.charAt(at);
    }

    private int next() {
        if (at >= pattern.length()) {
            throw wrong("it ends with a single \\ or within a class");
        }
        int c = pattern.codePointAt(at);
        at += Character.charCount(c);
        return c;
    }

    private boolean accept(String expected) {
        if (pattern.startsWith(expected, at)) {
            at += expected.length();
            return true;
        }
        return false;
    }

    private ConstraintException wrong(String what) {
        return new ConstraintException(
                "The regular expression " + shown(pattern) + " cannot be used, at character " + at + ": " + what + ".");
    }

    private static String shown(String pattern) {
        return pattern.length() <= 80 ? pattern : pattern.substring(0, 77) + "...";
    }
}
