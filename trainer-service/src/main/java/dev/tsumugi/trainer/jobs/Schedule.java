package dev.tsumugi.trainer.jobs;

import java.time.Instant;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.util.Optional;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.springframework.scheduling.support.CronExpression;

/**
 * A time at which a job is made, again and again.
 *
 * @param adapter of its jobs
 * @param cron minute, hour, day of month, month, day of week, as in {@code 0 3 * * MON-FRI}
 * @param zone that the cron expression speaks of
 * @param lastJob that it made
 */
record Schedule(
        String name,
        String adapter,
        String cron,
        String zone,
        int priority,
        JobSettings settings,
        @Nullable Instant next,
        @Nullable Instant lastFired,
        @Nullable UUID lastJob) {
    private static final int FIELDS = 5;

    /** @throws IllegalArgumentException saying what is wrong with the expression */
    static CronExpression parse(String cron) {
        if (cron.strip().split("\\s+").length != FIELDS) {
            throw new IllegalArgumentException(
                    "cron needs five fields: minute, hour, day of month, month and day of week, as in \"0 3 * * *\" for three in the"
                            + " morning, but is \"" + cron + "\"");
        }
        try {
            return CronExpression.parse("0 " + cron.strip());
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("cron \"" + cron + "\" cannot be read: " + e.getMessage(), e);
        }
    }

    /** Empty when no such time will come. */
    static Optional<Instant> next(String cron, String zone, Instant after) {
        return Optional.ofNullable(parse(cron).next(ZonedDateTime.ofInstant(after, ZoneId.of(zone))))
                .map(ZonedDateTime::toInstant);
    }
}
