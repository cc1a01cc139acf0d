package dev.tsumugi.trainer.sets;

import java.time.Instant;
import java.util.List;
import java.util.UUID;

/**
 * A deleted document that examples rested on.
 *
 * @param examples how many left the store with it
 * @param adapters that have learned from it, and still know it until they are trained anew
 */
record Withdrawal(String documentId, int examples, Instant withdrawnAt, List<Trained> adapters) {
    record Trained(String adapter, String digest, UUID job) {}
}
