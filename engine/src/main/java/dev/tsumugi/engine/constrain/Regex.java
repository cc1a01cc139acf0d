package dev.tsumugi.engine.constrain;

import java.util.ArrayList;
import java.util.List;

/** A regular expression over characters, which matches whole texts. */
sealed interface Regex {
    Regex EMPTY = new Sequence(List.of());
    int UNLIMITED = -1;

    /** One character of a set. */
    record Chars(CharSet set) implements Regex {}

    record Sequence(List<Regex> parts) implements Regex {}

    record Choice(List<Regex> alternatives) implements Regex {}

    /** @param max {@link #UNLIMITED}, or at least {@code min} */
    record Repeat(Regex part, int min, int max) implements Regex {}

    /** Beginning or end of the text; {@link RegexParser} resolves it before anyone else sees the expression. */
    enum Anchor implements Regex {
        BEGINNING,
        END
    }

    static Regex sequence(Regex... parts) {
        return new Sequence(List.of(parts));
    }

    static Regex choice(Regex... alternatives) {
        return new Choice(List.of(alternatives));
    }

    static Regex optional(Regex part) {
        return new Repeat(part, 0, 1);
    }

    static Regex literal(String text) {
        List<Regex> parts = new ArrayList<>();
        text.codePoints().forEach(c -> parts.add(new Chars(CharSet.of(c))));
        return new Sequence(parts);
    }

    /** Characters of the shortest match. */
    static long shortest(Regex regex) {
        return switch (regex) {
            case Chars _ -> 1;
            case Sequence s -> s.parts().stream().mapToLong(Regex::shortest).reduce(0, Regex::add);
            case Choice c ->
                c.alternatives().stream().mapToLong(Regex::shortest).min().orElse(Long.MAX_VALUE);
            case Repeat r -> multiply(shortest(r.part()), r.min());
            case Anchor _ -> 0;
        };
    }

    /** Characters of the longest match; {@link Long#MAX_VALUE} where there is none. */
    static long longest(Regex regex) {
        return switch (regex) {
            case Chars _ -> 1;
            case Sequence s -> s.parts().stream().mapToLong(Regex::longest).reduce(0, Regex::add);
            case Choice c ->
                c.alternatives().stream().mapToLong(Regex::longest).max().orElse(0);
            case Repeat r -> multiply(longest(r.part()), r.max() == UNLIMITED ? Long.MAX_VALUE : r.max());
            case Anchor _ -> 0;
        };
    }

    private static long add(long a, long b) {
        return a > Long.MAX_VALUE - b ? Long.MAX_VALUE : a + b;
    }

    private static long multiply(long a, long b) {
        return a != 0 && b > Long.MAX_VALUE / a ? Long.MAX_VALUE : a * b;
    }

    /** Joins {@code source} and {@code target} by all texts that {@code regex} matches. Adds no edge into {@code source} or out of {@code target}. */
    static void write(Regex regex, CharEdges out, int source, int target) {
        switch (regex) {
            case Chars c -> out.chars(c.set(), source, target);
            case Sequence s -> writeSequence(s.parts(), out, source, target);
            case Choice c -> c.alternatives().forEach(alternative -> write(alternative, out, source, target));
            case Repeat r -> writeRepeat(r, out, source, target);
            case Anchor _ -> throw new IllegalStateException("an anchor was left in a regular expression");
        }
    }

    private static void writeSequence(List<Regex> parts, CharEdges out, int source, int target) {
        if (parts.isEmpty()) {
            out.jump(source, target);
        }
        int at = source;
        for (int i = 0; i < parts.size(); i++) {
            int next = i == parts.size() - 1 ? target : out.node();
            write(parts.get(i), out, at, next);
            at = next;
        }
    }

    private static void writeRepeat(Repeat repeat, CharEdges out, int source, int target) {
        int at = out.node();
        out.jump(source, at);
        for (int i = 0; i < repeat.min(); i++) {
            int next = out.node();
            write(repeat.part(), out, at, next);
            at = next;
        }
        if (repeat.max() == UNLIMITED) {
            int loop = out.node();
            out.jump(at, loop);
            write(repeat.part(), out, loop, loop);
            at = loop;
        }
        for (int i = repeat.min(); i < repeat.max(); i++) {
            out.jump(at, target);
            int next = out.node();
            write(repeat.part(), out, at, next);
            at = next;
        }
        out.jump(at, target);
    }
}
