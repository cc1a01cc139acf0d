package dev.tsumugi.ingest.document;

import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;

/**
 * Record headers with which ingest-service knows its own records of {@code document-ingest} again. From others they are harmless: an
 * upload or a version that is not the registry's has no effect.
 */
final class IngestHeaders {
    /** Of the upload that waits for this record. */
    static final String UPLOAD = "tsumugi-upload";
    /** Beside {@link #UPLOAD}: the record may have been written before, so it counts only while the upload waits. */
    static final String REPEATED = "tsumugi-repeated";

    /** The version whose content is processed again though nothing changed. */
    static final String REINDEX = "tsumugi-reindex";

    private IngestHeaders() {}

    static Optional<UUID> upload(ConsumerRecord<?, ?> record) {
        try {
            return text(record, UPLOAD).map(UUID::fromString);
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    static boolean isRepeated(ConsumerRecord<?, ?> record) {
        return record.headers().lastHeader(REPEATED) != null;
    }

    static OptionalLong reindex(ConsumerRecord<?, ?> record) {
        try {
            return text(record, REINDEX)
                    .map(Long::parseLong)
                    .map(OptionalLong::of)
                    .orElseGet(OptionalLong::empty);
        } catch (NumberFormatException e) {
            return OptionalLong.empty();
        }
    }

    private static Optional<String> text(ConsumerRecord<?, ?> record, String name) {
        Header header = record.headers().lastHeader(name);
        return header == null || header.value() == null
                ? Optional.empty()
                : Optional.of(new String(header.value(), StandardCharsets.UTF_8));
    }
}
