package dev.tsumugi.engine.constrain;

import java.util.LinkedHashSet;
import java.util.Set;

/** Proves that an automaton reads whatever plain tokens hold, character by character. */
final class PlainText {
    private final Automaton automaton;
    private final boolean[] leads;

    /** @param leads [256] the bytes with which plain characters begin */
    PlainText(Automaton automaton, boolean[] leads) {
        this.automaton = automaton;
        this.leads = leads;
    }

    /** Whether any {@code length} plain characters can be read from {@code start}. */
    boolean isReadFrom(ConstraintState start, int length) {
        Set<ConstraintState> known = Set.of(start);
        for (int i = 0; i < length; i++) {
            Set<ConstraintState> next = new LinkedHashSet<>();
            for (ConstraintState state : known) {
                if (!readsOne(state, next)) {
                    return false;
                }
            }
            if (next.equals(known)) {
                return true;
            }
            known = next;
        }
        return true;
    }

    /** Collects where the plain characters lead; false when one of them cannot be read. */
    private boolean readsOne(ConstraintState state, Set<ConstraintState> ends) {
        return reads(state, 0x20, 0x21, 0, ends)
                && reads(state, 0x23, 0x5B, 0, ends)
                && reads(state, 0x5D, 0x7F, 0, ends)
                && reads(state, 0xC2, 0xDF, 1, ends)
                && readsAfter(state, 0xE0, 0xA0, 0xBF, 1, ends)
                && reads(state, 0xE1, 0xEC, 2, ends)
                && readsAfter(state, 0xED, 0x80, 0x9F, 1, ends)
                && reads(state, 0xEE, 0xEF, 2, ends)
                && readsAfter(state, 0xF0, 0x90, 0xBF, 2, ends)
                && reads(state, 0xF1, 0xF3, 3, ends)
                && readsAfter(state, 0xF4, 0x80, 0x8F, 2, ends);
    }

    private boolean readsAfter(
            ConstraintState state, int lead, int low, int high, int tail, Set<ConstraintState> ends) {
        if (!leads[lead]) {
            return true;
        }
        ConstraintState next = automaton.step(state, lead);
        return !next.isDead() && continues(next, low, high, tail, ends);
    }

    /** Any lead byte from {@code low} to {@code high} and {@code tail} continuation bytes behind it. */
    private boolean reads(ConstraintState state, int low, int high, int tail, Set<ConstraintState> ends) {
        Set<ConstraintState> next = tail == 0 ? ends : new LinkedHashSet<>();
        for (int b = low; b <= high; b++) {
            if (leads[b]) {
                ConstraintState after = automaton.step(state, b);
                if (after.isDead()) {
                    return false;
                }
                next.add(after);
            }
        }
        return tail == 0 || next.stream().allMatch(after -> continues(after, 0x80, 0xBF, tail - 1, ends));
    }

    private boolean continues(ConstraintState state, int low, int high, int tail, Set<ConstraintState> ends) {
        Set<ConstraintState> next = tail == 0 ? ends : new LinkedHashSet<>();
        for (int b = low; b <= high; b = automaton.lastLike(b) + 1) {
            ConstraintState after = automaton.step(state, b);
            if (after.isDead()) {
                return false;
            }
            next.add(after);
        }
        return tail == 0 || next.stream().allMatch(after -> continues(after, 0x80, 0xBF, tail - 1, ends));
    }
}
