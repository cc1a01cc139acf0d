package dev.tsumugi.trainer.sets;

import java.time.Instant;
import java.util.UUID;

/**
 * A set of examples that does not change, except that members leave it with a deleted document.
 *
 * @param digest SHA-256 of its members as it was made; the same examples and settings make the same set
 * @param withdrawn members that left it
 */
public record TrainingSet(
        UUID id, String digest, SetSettings settings, SetCounts counts, int withdrawn, Instant createdAt) {}
