package dev.tsumugi.ingest.document;

import jakarta.validation.Valid;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import java.nio.file.Path;
import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;
import org.springframework.validation.annotation.Validated;

/**
 * Settings of ingest-service.
 *
 * @param blobs folder of the blob store
 * @param maxUpload largest content of a document
 * @param uploadPatience after which the record of an upload is written again
 * @param blobGrace time in which a blob that nothing refers to is kept
 */
@ConfigurationProperties("tsumugi.ingest")
@Validated
record IngestProperties(
        @DefaultValue("blobs") Path blobs,
        @DefaultValue("100MB") DataSize maxUpload,
        @DefaultValue("PT10M") Duration uploadPatience,
        @DefaultValue("PT1H") Duration blobGrace,
        @Valid @DefaultValue Parsing parsing) {

    /**
     * @param threads documents that are parsed at once
     * @param timeout for one document
     * @param maxCharacters of the text of one document
     * @param maxUnpacked of all parts of a zip-based document
     */
    record Parsing(
            @Min(1) @Max(64) @DefaultValue("2") int threads,
            @DefaultValue("PT2M") Duration timeout,

            @Min(1000) @Max(200_000_000) @DefaultValue("20000000")
            int maxCharacters,

            @DefaultValue("512MB") DataSize maxUnpacked) {}
}
