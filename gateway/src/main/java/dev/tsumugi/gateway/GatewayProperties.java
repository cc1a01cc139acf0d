package dev.tsumugi.gateway;

import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import jakarta.validation.constraints.NotBlank;
import jakarta.validation.constraints.NotNull;
import java.net.URI;
import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;
import org.springframework.validation.annotation.Validated;

/**
 * Settings of the gateway.
 *
 * @param adminKeyFile file whose first line is the admin key
 * @param maxUpload largest document
 * @param maxUploadRequest largest multipart request, with all its documents
 * @param maxBody largest body of any other call
 * @param maxOpenAiBody largest body of a call under {@code /v1}
 * @param maxQuestionLength characters of a question or query
 * @param maxConcurrentAnswers answers and completions in progress; more are refused with 429
 * @param heartbeat how long a stream may be silent before a comment line keeps it alive, and finds out whether the caller is still there
 */
@ConfigurationProperties("tsumugi.gateway")
@Validated
public record GatewayProperties(
        @NotBlank(
                message =
                        "set tsumugi.gateway.admin-key-file (TSUMUGI_ADMIN_KEY_FILE) to the file that holds the admin key")
        String adminKeyFile,

        @NotNull URI ingestUrl,
        @NotNull URI embedUrl,
        @NotNull URI retrieverUrl,
        @NotNull URI generatorUrl,
        @NotNull URI trainerUrl,
        @DefaultValue("100MB") DataSize maxUpload,
        @DefaultValue("1GB") DataSize maxUploadRequest,
        @DefaultValue("1MB") DataSize maxBody,
        @DefaultValue("16MB") DataSize maxOpenAiBody,
        @Min(1) @Max(100_000) @DefaultValue("4000") int maxQuestionLength,
        @Min(1) @Max(10_000) @DefaultValue("64") int maxConcurrentAnswers,
        @DefaultValue("5s") Duration heartbeat) {}
