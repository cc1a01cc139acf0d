package dev.tsumugi.engine.serve;

/** A prompt that leaves no room for an answer. */
public final class PromptTooLongException extends IllegalArgumentException {
    private static final long serialVersionUID = 1;

    private final int promptTokens;
    private final int contextLength;

    public PromptTooLongException(int promptTokens, int contextLength) {
        super("the prompt has " + promptTokens + " tokens and the context " + contextLength
                + "; shorten the prompt to at most " + (contextLength - 1));
        this.promptTokens = promptTokens;
        this.contextLength = contextLength;
    }

    public int promptTokens() {
        return promptTokens;
    }

    public int contextLength() {
        return contextLength;
    }
}
