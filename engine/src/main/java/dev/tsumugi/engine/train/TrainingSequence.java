package dev.tsumugi.engine.train;

import java.util.Arrays;

/**
 * One text to learn from, as tokens. Contexts and prompts are in it already, rendered as the model is asked when it serves; {@link
 * LoraTraining#sequence} makes one of chat messages and the answer to them.
 *
 * @param id names it in reports
 * @param tokens [T]
 * @param targets [T] whether the model is to learn to say this token after those before it; the first never counts
 */
@SuppressWarnings("ArrayRecordComponent") // compared by content where it matters
public record TrainingSequence(String id, int[] tokens, boolean[] targets) {

    /** @throws IllegalArgumentException when tokens and targets differ in length */
    public TrainingSequence {
        if (tokens.length != targets.length) {
            throw new IllegalArgumentException(
                    "sequence " + id + " has " + tokens.length + " tokens and " + targets.length + " targets");
        }
    }

    /** A prompt that is given and a completion that is learned. */
    public static TrainingSequence of(String id, int[] prompt, int[] completion) {
        int[] tokens = Arrays.copyOf(prompt, prompt.length + completion.length);
        System.arraycopy(completion, 0, tokens, prompt.length, completion.length);
        boolean[] targets = new boolean[tokens.length];
        Arrays.fill(targets, prompt.length, tokens.length, true);
        return new TrainingSequence(id, tokens, targets);
    }

    /** Tokens that count towards the loss. */
    public int targetCount() {
        int count = 0;
        for (int t = 1; t < targets.length; t++) {
            count += targets[t] ? 1 : 0;
        }
        return count;
    }
}
