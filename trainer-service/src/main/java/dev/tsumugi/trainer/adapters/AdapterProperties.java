package dev.tsumugi.trainer.adapters;

import jakarta.validation.constraints.NotNull;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;
import org.springframework.validation.annotation.Validated;

/**
 * Where adapters are kept.
 *
 * @param store folder of all adapters; generators on the same machine may share it
 * @param generatorUrls of all generators, of which one is asked whether the served model can use an adapter
 * @param maxSize of the files of one adapter together
 * @param grace how long a stored adapter is safe before a name must point to it
 * @param s3 a bucket that all trainers share, besides the folder of each
 */
@ConfigurationProperties("tsumugi.trainer.adapters")
@Validated
record AdapterProperties(
        @NotNull Path store,
        @DefaultValue("http://localhost:8084") List<URI> generatorUrls,
        @DefaultValue("256MB") DataSize maxSize,
        @DefaultValue("1h") Duration grace,
        @DefaultValue S3 s3) {

    /**
     * Credentials and region are the AWS SDK's affair.
     *
     * @param bucket empty: there is none
     * @param prefix of all keys, empty or with a / at its end; one bucket and prefix belong to one installation, whose trainers delete what its names
     *     do not need
     * @param endpoint of a server other than AWS; empty: AWS
     * @param pathStyle whether the bucket is part of the path and not of the host's name, as most other servers want it
     */
    record S3(
            @DefaultValue("") String bucket,
            @DefaultValue("adapters/") String prefix,
            @DefaultValue("") String endpoint,
            @DefaultValue("false") boolean pathStyle) {}
}
