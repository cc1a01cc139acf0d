package dev.tsumugi.trainer.gate;

import jakarta.validation.constraints.DecimalMax;
import jakarta.validation.constraints.DecimalMin;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.validation.annotation.Validated;

/**
 * What a candidate may lose against the champion while it gains elsewhere.
 *
 * @param minQuestions that can be answered, below which nothing can be told
 * @param maxQuestions that are asked, so that the gate ends in time
 * @param f1Margin by which F1 on answerable questions may fall
 * @param refusalMargin by which the part of right refusals may fall
 * @param enoughRefusals a part of right refusals that is good enough, even if the champion refuses more often: one that always refuses has 1
 * @param citationMargin by which the part of right citations may fall
 * @param retrievalMargin by which the part of questions that find their passage may fall, where the candidate brings a query adapter
 * @param lossMargin by which the loss may rise, as a part of the champion's
 * @param replayMargin by which the loss on conversations that have nothing to do with the documents may rise, as a part of the bare
 *     model's
 */
@ConfigurationProperties("tsumugi.trainer.gate")
@Validated
public record GateProperties(
        @Min(1) @Max(100_000) @DefaultValue("20") int minQuestions,
        @Min(1) @Max(100_000) @DefaultValue("400") int maxQuestions,

        @DecimalMin("0") @DecimalMax("1") @DefaultValue("0.02")
        double f1Margin,

        @DecimalMin("0") @DecimalMax("1") @DefaultValue("0.02")
        double refusalMargin,

        @DecimalMin("0") @DecimalMax("1") @DefaultValue("0.8")
        double enoughRefusals,

        @DecimalMin("0") @DecimalMax("1") @DefaultValue("0.05")
        double citationMargin,

        @DecimalMin("0") @DecimalMax("1") @DefaultValue("0.02")
        double retrievalMargin,

        @DecimalMin("0") @DecimalMax("10") @DefaultValue("0.1")
        double lossMargin,

        @DecimalMin("0") @DecimalMax("10") @DefaultValue("0.2")
        double replayMargin) {}
