package dev.tsumugi.platform.prompt;

import java.util.function.ToIntFunction;

/**
 * How much of an answer's prompt a model is given to read, and how much it may write. Whoever serves a model and whoever trains it take the
 * same, so that it is trained on what it will see.
 *
 * @param promptTokens of all messages together
 * @param excerptTokens what of them the passages may take
 * @param focus see {@link dev.tsumugi.platform.grounding.Excerpts#of}
 * @param answerTokens most tokens of the answer
 */
public record PromptBudget(int promptTokens, int excerptTokens, double focus, int answerTokens) {
    public static final int ANSWER_TOKENS = 160;

    private static final int SMALL_MODEL = 1536;

    /**
     * What suits a model: small ones answer from whatever they read and lose their way in much of it, so they read little, and only what is
     * near the question.
     *
     * @param hiddenSize below {@value #SMALL_MODEL} a model has less than about a billion weights
     */
    public static PromptBudget forModel(int hiddenSize) {
        return hiddenSize < SMALL_MODEL
                ? new PromptBudget(700, 160, 0.4, ANSWER_TOKENS)
                : new PromptBudget(3000, 2400, 0, ANSWER_TOKENS);
    }

    /** The part of it that a context of so many tokens has room for; an answer takes at most half of the context. */
    public PromptBudget within(int contextLength) {
        int room = contextLength - Math.min(answerTokens, contextLength / 2);
        return new PromptBudget(Math.min(promptTokens, room), excerptTokens, focus, answerTokens);
    }

    /** @param tokens counts the tokens of a text */
    public AnswerPrompt prompt(ToIntFunction<String> tokens) {
        return new AnswerPrompt(tokens, promptTokens, excerptTokens, focus);
    }
}
