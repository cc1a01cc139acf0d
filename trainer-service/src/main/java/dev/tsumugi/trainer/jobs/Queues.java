package dev.tsumugi.trainer.jobs;

import com.github.kagkarlsson.scheduler.Scheduler;
import com.github.kagkarlsson.scheduler.SchedulerClient;
import com.github.kagkarlsson.scheduler.task.ExecutionContext;
import com.github.kagkarlsson.scheduler.task.TaskInstance;
import com.github.kagkarlsson.scheduler.task.helper.CustomTask;
import com.github.kagkarlsson.scheduler.task.helper.Tasks;
import dev.tsumugi.contracts.DocumentKey;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.UUID;
import javax.sql.DataSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.SmartLifecycle;

/**
 * Who does what when, in a cluster of trainers: each job is run by one of them, at most one at a time in each, the highest priority first;
 * each time of a schedule is seen by one. What a dead trainer had goes to another. The queues are tables, so nothing is lost.
 */
final class Queues implements SmartLifecycle {
    private static final Logger log = LoggerFactory.getLogger(Queues.class);
    private static final int MISSED_HEARTBEATS = 4;
    private static final Duration BEFORE_RETRY = Duration.ofSeconds(15);
    private static final Duration STOPPING = Duration.ofSeconds(20);

    private final CustomTask<Void> jobTask;
    private final CustomTask<Void> scheduleTask;
    private final Scheduler jobs;
    private final Scheduler schedules;
    private volatile boolean running;

    /** What to do with a schedule whose time has come. */
    @FunctionalInterface
    interface Firing {
        /** @return its next time; empty when the schedule is gone */
        Optional<Instant> fire(String tenant, String name);
    }

    Queues(DataSource dataSource, JobRunner runner, Firing firing, TrainerProperties properties) {
        jobTask = Tasks.custom("training-job", Void.class)
                .onDeadExecutionRevive()
                .execute((instance, context) -> run(instance, context, runner));
        scheduleTask = Tasks.custom("training-schedule", Void.class)
                .onDeadExecutionRevive()
                .execute((instance, context) -> fire(instance, firing));
        jobs = Scheduler.create(dataSource, jobTask)
                .tableName("job_queue")
                .threads(1)
                .enablePriority()
                .pollingInterval(properties.polling())
                .heartbeatInterval(properties.heartbeat())
                .missedHeartbeatsLimit(MISSED_HEARTBEATS)
                .enableImmediateExecution()
                // While a job runs here, the next one is left to others, and to what may still come with a higher
                // priority.
                .pollUsingLockAndFetch(0.5, 1.0)
                .shutdownMaxWait(STOPPING)
                .build();
        schedules = Scheduler.create(dataSource, scheduleTask)
                .tableName("schedule_queue")
                .threads(1)
                .pollingInterval(properties.polling())
                .heartbeatInterval(properties.heartbeat())
                .missedHeartbeatsLimit(MISSED_HEARTBEATS)
                .shutdownMaxWait(STOPPING)
                .build();
    }

    void add(String tenant, UUID job, int priority) {
        jobs.schedule(
                jobTask.instanceBuilder(tenant + "/" + job).priority(priority).build(),
                Instant.now(),
                SchedulerClient.ScheduleOptions.WHEN_EXISTS_DO_NOTHING);
    }

    /** Replaces the time of the schedule, if it has one. */
    void at(Instant time, String tenant, String schedule) {
        schedules.schedule(
                scheduleTask.instance(tenant + "/" + schedule),
                time,
                SchedulerClient.ScheduleOptions.WHEN_EXISTS_RESCHEDULE);
    }

    private static com.github.kagkarlsson.scheduler.task.CompletionHandler<Void> run(
            TaskInstance<Void> instance, ExecutionContext context, JobRunner runner) {
        DocumentKey key = DocumentKey.parse(instance.getId());
        JobRunner.Outcome outcome = runner.run(
                key.tenant(),
                UUID.fromString(key.documentId()),
                () -> context.getSchedulerState().isShuttingDown());
        return (complete, operations) -> {
            if (outcome == JobRunner.Outcome.DONE) {
                operations.remove();
            } else {
                boolean stopping = context.getSchedulerState().isShuttingDown();
                operations.reschedule(complete, Instant.now().plus(stopping ? Duration.ZERO : BEFORE_RETRY));
            }
        };
    }

    private static com.github.kagkarlsson.scheduler.task.CompletionHandler<Void> fire(
            TaskInstance<Void> instance, Firing firing) {
        DocumentKey key = DocumentKey.parse(instance.getId());
        Optional<Instant> next = firing.fire(key.tenant(), key.documentId());
        return (complete, operations) -> {
            if (next.isPresent()) {
                operations.reschedule(complete, next.get());
            } else {
                operations.remove();
            }
        };
    }

    @Override
    public void start() {
        jobs.start();
        schedules.start();
        running = true;
    }

    @Override
    public void stop() {
        running = false;
        try {
            schedules.stop();
        } finally {
            jobs.stop();
        }
        log.debug("queues are closed");
    }

    @Override
    public boolean isRunning() {
        return running;
    }
}
