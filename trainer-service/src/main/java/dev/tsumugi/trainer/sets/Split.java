package dev.tsumugi.trainer.sets;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Arrays;
import java.util.List;

/** What an example is used for. */
public enum Split {
    /** Learned from. */
    TRAIN("train"),
    /** Chooses the best checkpoint of a run. */
    VALIDATION("validation"),
    /** Decides whether an adapter is promoted; no run sees it before. */
    HELD_OUT("held-out");

    private final String text;

    Split(String text) {
        this.text = text;
    }

    /** Those of this split, in their order. */
    public List<SetMember> among(List<SetMember> members) {
        return members.stream().filter(member -> member.split() == this).toList();
    }

    /** As it is written in JSON and in the database. */
    @JsonValue
    public String text() {
        return text;
    }

    /** @throws IllegalArgumentException when there is none */
    public static Split of(String text) {
        return Arrays.stream(values())
                .filter(split -> split.text.equals(text))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("there is no split " + text));
    }
}
