package dev.tsumugi.generator.model;

import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import jakarta.validation.constraints.NotBlank;
import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;
import org.springframework.validation.annotation.Validated;

/**
 * Which model is served and how much it takes on.
 *
 * @param model GGUF file, folder of safetensors, or a name or repository id that the model store knows
 * @param modelName what callers call it; empty: derived from the file
 * @param backend {@code auto}, {@code cuda}, {@code onednn}, {@code vector} or {@code reference}
 * @param threads that compute; 0: one per processor
 * @param cache memory for keys and values of all requests together
 * @param contextLength most tokens of a prompt and its answer; 0: what model and cache allow
 * @param maxRunning requests computed side by side
 * @param maxQueued requests that wait beyond those; more are refused with 429
 * @param maxPerTenant unfinished requests of one tenant, so that others find room; more are refused with 429
 * @param timeout of one request
 * @param adapterMemory for all adapters together
 */
@ConfigurationProperties("tsumugi.generator")
@Validated
public record ModelProperties(
        @NotBlank(message = "set tsumugi.generator.model (TSUMUGI_MODEL) to a GGUF file or a model folder")
        String model,

        @DefaultValue("") String modelName,
        @DefaultValue("auto") String backend,
        @Min(0) @Max(1024) @DefaultValue("0") int threads,
        @DefaultValue("256MB") DataSize cache,
        @Min(0) @DefaultValue("0") int contextLength,
        @Min(1) @Max(256) @DefaultValue("8") int maxRunning,
        @Min(0) @Max(100_000) @DefaultValue("64") int maxQueued,
        @Min(1) @Max(100_000) @DefaultValue("54") int maxPerTenant,
        @DefaultValue("5m") Duration timeout,
        @DefaultValue("256MB") DataSize adapterMemory) {}
