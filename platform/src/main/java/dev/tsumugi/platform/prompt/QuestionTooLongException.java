package dev.tsumugi.platform.prompt;

/** A question that leaves no room for what should answer it. */
public final class QuestionTooLongException extends RuntimeException {
    public QuestionTooLongException(int tokens, int limit) {
        super("The question has " + tokens + " tokens with its instruction, but there is room for " + limit
                + ". Shorten it.");
    }
}
