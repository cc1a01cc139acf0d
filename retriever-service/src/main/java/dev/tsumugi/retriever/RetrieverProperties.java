package dev.tsumugi.retriever;

import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.validation.annotation.Validated;

/**
 * Settings of the retriever service.
 *
 * @param embedUrl where questions are embedded
 * @param embedTimeout longest wait for vectors
 * @param workers records of {@code chunk-embeddings} in work at once; each takes a database connection
 */
@ConfigurationProperties("tsumugi.retriever")
@Validated
record RetrieverProperties(
        String embedUrl,
        @DefaultValue("60s") Duration embedTimeout,
        @Min(1) @Max(64) @DefaultValue("4") int workers) {}
