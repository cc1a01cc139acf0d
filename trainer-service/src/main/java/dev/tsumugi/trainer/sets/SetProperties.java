package dev.tsumugi.trainer.sets;

import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.validation.annotation.Validated;

/**
 * How documents are shared out. Changing it later moves documents between splits; what was held out once is never trained on.
 *
 * @param heldOutPercent of the documents, for the gate
 * @param validationPercent of the documents, to choose the best checkpoint
 * @param maxExamples of one set
 */
@ConfigurationProperties("tsumugi.trainer.sets")
@Validated
record SetProperties(
        @Min(1) @Max(50) @DefaultValue("15") int heldOutPercent,
        @Min(0) @Max(40) @DefaultValue("10") int validationPercent,
        @Min(1) @Max(1_000_000) @DefaultValue("200000") int maxExamples) {

    Splitter splitter() {
        return new Splitter(heldOutPercent, validationPercent);
    }
}
