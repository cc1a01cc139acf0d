package dev.tsumugi.trainer.adapters;

import java.time.Instant;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One adapter that a name stands for, or has stood for.
 *
 * @param baseDigest of the model that it was trained on
 * @param bytes of its files
 * @param jobId of the training job that made it; absent: imported
 * @param metrics what its training and evaluation measured
 */
record AdapterVersion(
        String digest,
        String baseDigest,
        long bytes,
        @Nullable String jobId,
        Map<String, Object> metrics,
        Instant createdAt) {}
