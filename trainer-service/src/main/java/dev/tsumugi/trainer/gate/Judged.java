package dev.tsumugi.trainer.gate;

import org.jspecify.annotations.Nullable;

/**
 * One held-out question, as a model answered it.
 *
 * @param loss mean negative log likelihood of the wanted answer's tokens
 * @param answer as the model wrote it
 * @param refused whether a reader would have been told that the documents do not hold the answer: the model said so, or no passage
 *     supports what it said
 * @param f1 of what the reader sees; 0 for a refusal
 * @param cited whether a citation names a document that holds the answer; null: nothing was cited, or those documents are not known
 */
public record Judged(
        String id,
        String question,
        boolean answerable,
        String wanted,
        double loss,
        String answer,
        boolean refused,
        double f1,
        boolean exactMatch,
        @Nullable Boolean cited) {}
