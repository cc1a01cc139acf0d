package dev.tsumugi.generator.answer;

import dev.tsumugi.platform.prompt.PromptBudget;
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
 * @param promptTokens most tokens of a prompt; 0: what suits the model, see {@link PromptBudget}
 * @param excerptTokens what of them the passages may take; 0: the same
 * @param minRelevance see {@link dev.tsumugi.platform.grounding.RelevanceGate}; 0 answers whatever was retrieved
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

    PromptBudget budgetFor(int hiddenSize) {
        PromptBudget usual = PromptBudget.forModel(hiddenSize);
        return new PromptBudget(
                promptTokens > 0 ? promptTokens : usual.promptTokens(),
                excerptTokens > 0 ? excerptTokens : usual.excerptTokens(),
                usual.focus(),
                maxTokens);
    }
}
