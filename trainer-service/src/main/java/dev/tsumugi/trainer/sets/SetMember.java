package dev.tsumugi.trainer.sets;

import dev.tsumugi.trainer.examples.Example;

/**
 * An example in a set.
 *
 * @param source {@code import}, {@code topic}, {@code feedback} or {@code generated}
 */
public record SetMember(Split split, String source, Example example) {
    static final String FEEDBACK = "feedback";
    static final String GENERATED = "generated";
}
