package dev.tsumugi.platform;

import jakarta.validation.Valid;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import jakarta.validation.constraints.Size;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.validation.annotation.Validated;

/**
 * Settings that all services share.
 *
 * @param internalToken shared secret of one deployment, at least 16 characters
 */
@ConfigurationProperties("tsumugi")
@Validated
public record PlatformProperties(
        @Size(
                min = 16,
                message =
                        "set tsumugi.internal-token (TSUMUGI_INTERNAL_TOKEN) to a secret of at least 16 characters, the same for all services")
        String internalToken,

        @Valid @DefaultValue Kafka kafka) {

    /**
     * @param partitions of each topic when it is created
     * @param replicas of each partition, 1 for a single broker
     * @param member name of the only process that runs a service: started again after a crash, it takes its place among the consumers at once,
     *     not when the session of its predecessor has run out. Null where replicas share the work: no two may have the same name
     */
    public record Kafka(
            @Min(1) @Max(1000) @DefaultValue("6") int partitions,
            @Min(1) @Max(7) @DefaultValue("1") short replicas,
            @Nullable String member) {}

    /** The token stays out of logs and error messages. */
    @Override
    public String toString() {
        return "PlatformProperties[kafka=" + kafka + "]";
    }
}
