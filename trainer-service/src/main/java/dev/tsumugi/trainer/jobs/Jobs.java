package dev.tsumugi.trainer.jobs;

import dev.tsumugi.platform.web.ProblemException;
import java.time.Instant;
import java.util.Optional;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.http.HttpStatus;
import org.springframework.stereotype.Service;

/** Makes jobs, from calls and from schedules. */
@Service
class Jobs {
    private static final Logger log = LoggerFactory.getLogger(Jobs.class);

    private final JobStore store;
    private final ScheduleStore schedules;
    private final TrainerProperties properties;
    private final ObjectProvider<Queues> queues;

    Jobs(JobStore store, ScheduleStore schedules, TrainerProperties properties, ObjectProvider<Queues> queues) {
        this.store = store;
        this.schedules = schedules;
        this.properties = properties;
        this.queues = queues;
    }

    /** @throws ProblemException 429 when the tenant has too many that are not finished */
    Job add(String tenant, String adapter, int priority, JobSettings settings) {
        return store.find(tenant, add(tenant, adapter, priority, settings, null))
                .orElseThrow();
    }

    private UUID add(String tenant, String adapter, int priority, JobSettings settings, @Nullable String schedule) {
        if (store.unfinished(tenant) >= properties.maxUnfinished()) {
            throw new ProblemException(
                    HttpStatus.TOO_MANY_REQUESTS,
                    "too-many-jobs",
                    "There are " + properties.maxUnfinished()
                            + " unfinished training jobs already. Wait for them, or cancel some.");
        }
        UUID id = store.insert(tenant, adapter, priority, settings, schedule);
        queues.getObject().add(tenant, id, priority);
        return id;
    }

    void put(String tenant, Schedule schedule) {
        if (schedules.find(tenant, schedule.name()).isEmpty()
                && schedules.all(tenant).size() >= properties.maxSchedules()) {
            throw new ProblemException(
                    HttpStatus.TOO_MANY_REQUESTS,
                    "too-many-schedules",
                    "There are " + properties.maxSchedules() + " schedules already. Delete some.");
        }
        Instant next = Schedule.next(schedule.cron(), schedule.zone(), Instant.now())
                .orElseThrow(() -> ProblemException.badRequest(
                        "schedule-invalid", "The cron expression names no time that will come."));
        schedules.put(tenant, schedule);
        queues.getObject().at(next, tenant, schedule.name());
    }

    /** The time of a schedule has come. Its job waits for the one before, if that is not finished. */
    Optional<Instant> fire(String tenant, String name) {
        Optional<Schedule> found = schedules.find(tenant, name);
        if (found.isEmpty()) {
            return Optional.empty();
        }
        Schedule schedule = found.get();
        boolean waits = schedule.lastJob() != null
                && store.find(tenant, schedule.lastJob())
                        .map(job -> !job.state().isFinished())
                        .orElse(false);
        if (waits) {
            log.info("Schedule {} of {} makes no job: its last one is not finished", name, tenant);
        } else {
            try {
                UUID job = add(tenant, schedule.adapter(), schedule.priority(), schedule.settings(), name);
                schedules.fired(tenant, name, job);
            } catch (ProblemException e) {
                log.warn(
                        "Schedule {} of {} makes no job: {}",
                        name,
                        tenant,
                        e.getBody().getDetail());
            }
        }
        return Schedule.next(schedule.cron(), schedule.zone(), Instant.now());
    }
}
