package dev.tsumugi.trainer.adapters;

import jakarta.validation.constraints.NotNull;
import java.nio.file.Path;
import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;
import org.springframework.validation.annotation.Validated;

/**
 * Where adapters are kept.
 *
 * @param store folder that trainer and generators share
 * @param maxSize of the files of one adapter together
 * @param grace how long a stored adapter is safe before a name must point to it
 */
@ConfigurationProperties("tsumugi.trainer.adapters")
@Validated
record AdapterProperties(
        @NotNull Path store,
        @DefaultValue("256MB") DataSize maxSize,
        @DefaultValue("1h") Duration grace) {}
