package dev.tsumugi.trainer.sets;

/**
 * How a set is made of the examples.
 *
 * @param unanswerableShare part of the training examples that cannot be answered: missing ones are generated, surplus ones left out; a
 *     model that sees too few of them invents answers, one that sees too many refuses what it could answer
 */
public record SetSettings(double unanswerableShare) {
    public static final double USUAL_SHARE = 0.25;
    private static final double MAX_SHARE = 0.9;

    /** @throws IllegalArgumentException naming what is out of range */
    public SetSettings {
        if (!(unanswerableShare >= 0 && unanswerableShare <= MAX_SHARE)) {
            throw new IllegalArgumentException(
                    "unanswerableShare must be 0 to " + MAX_SHARE + ", but is " + unanswerableShare);
        }
    }
}
