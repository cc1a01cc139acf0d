package dev.tsumugi.generator.answer;

import jakarta.validation.constraints.DecimalMax;
import jakarta.validation.constraints.DecimalMin;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.validation.annotation.Validated;

/**
 * How questions are answered from passages.
 *
 * @param maxTokens of an answer
 * @param promptTokens most tokens of a prompt; 0: 700 for small models, 3000 for others
 * @param excerptTokens what of them the passages may take; 0: 160 for small models, which lose their way in more, 2400 for others
 * @param minRelevance see {@link dev.tsumugi.generator.grounding.RelevanceGate}; 0 answers whatever was retrieved
 * @param minRelevanceJapanese the same for questions in Japanese
 */
@ConfigurationProperties("tsumugi.generator.answer")
@Validated
record AnswerProperties(
        @Min(1) @Max(8192) @DefaultValue("160") int maxTokens,
        @Min(0) @DefaultValue("0") int promptTokens,
        @Min(0) @DefaultValue("0") int excerptTokens,

        @DecimalMin("0") @DecimalMax("2") @DefaultValue("0.835")
        double minRelevance,

        @DecimalMin("0") @DecimalMax("2") @DefaultValue("0.87")
        double minRelevanceJapanese) {

    private static final int SMALL_MODEL = 1536;

    /** @param hiddenSize of the model; below {@value #SMALL_MODEL} it has less than about a billion weights */
    int promptTokensFor(int hiddenSize) {
        return promptTokens > 0 ? promptTokens : hiddenSize < SMALL_MODEL ? 700 : 3000;
    }

    int excerptTokensFor(int hiddenSize) {
        return excerptTokens > 0 ? excerptTokens : hiddenSize < SMALL_MODEL ? 160 : 2400;
    }

    /** Small models answer from whatever they read, so they read only what is near the question. */
    double focusFor(int hiddenSize) {
        return hiddenSize < SMALL_MODEL ? 0.4 : 0;
    }
}
