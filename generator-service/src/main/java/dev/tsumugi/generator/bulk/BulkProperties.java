package dev.tsumugi.generator.bulk;

import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.validation.annotation.Validated;

/**
 * Answering over Kafka.
 *
 * @param threads questions answered at once; the rest of the engine stays free for people
 */
@ConfigurationProperties("tsumugi.generator.bulk")
@Validated
record BulkProperties(
        @Min(1) @Max(64) @DefaultValue("2") int threads,
        @DefaultValue("http://localhost:8083") String retrieverUrl) {}
