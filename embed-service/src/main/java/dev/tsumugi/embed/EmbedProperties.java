package dev.tsumugi.embed;

import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import java.nio.file.Path;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.validation.annotation.Validated;

/**
 * Settings of the embed service.
 *
 * @param model folder of an ONNX model; empty: the bundled one
 * @param cache folder for the unpacked model and native libraries
 * @param retrieverUrl where to ask which chunks are indexed already
 * @param trainerUrl who has the query adapters
 * @param threads cores to use; 0: all. A question is embedded on all of them; of documents, as many batches are in work at once
 * @param batchTokens most tokens of one batch, padding included; bounds its memory (about 40 KiB a token)
 * @param workers records of {@code document-chunks} in work at once; their texts share batches
 */
@ConfigurationProperties("tsumugi.embed")
@Validated
record EmbedProperties(
        @DefaultValue("") String model,
        Path cache,
        String retrieverUrl,
        String trainerUrl,
        @Min(0) @Max(1024) @DefaultValue("0") int threads,
        @Min(512) @Max(65_536) @DefaultValue("512") int batchTokens,
        @Min(1) @Max(256) @DefaultValue("16") int workers) {

    int effectiveThreads() {
        return threads > 0 ? threads : Runtime.getRuntime().availableProcessors();
    }
}
