package dev.tsumugi.trainer.jobs;

import java.util.UUID;
import java.util.function.BooleanSupplier;

/** One attempt at a job: what it reports, and whether it must stop. */
final class RunningJob {
    private static final long LOOK_NANOS = 500_000_000;

    private final JobStore store;
    private final ServingLoad load;
    private final BooleanSupplier shutdown;
    private final String tenant;
    private final UUID id;
    private final int attempt;
    private long lastLook = System.nanoTime() - LOOK_NANOS;
    private StopException.Reason stop = StopException.Reason.SHUTDOWN;
    private boolean stopped;

    RunningJob(JobStore store, ServingLoad load, BooleanSupplier shutdown, String tenant, UUID id, int attempt) {
        this.store = store;
        this.load = load;
        this.shutdown = shutdown;
        this.tenant = tenant;
        this.id = id;
        this.attempt = attempt;
    }

    String tenant() {
        return tenant;
    }

    UUID id() {
        return id;
    }

    int attempt() {
        return attempt;
    }

    /** @throws StopException when it must end */
    synchronized void progress(JobState state, JobProgress progress) {
        if (!store.progress(tenant, id, attempt, state, progress)) {
            stopFor(StopException.Reason.LOST);
        }
        throwIfStopped();
    }

    /** Lets those who wait for an answer go first. */
    void yieldToServing() {
        try {
            load.awaitIdle();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Looks into the database now and then only. */
    synchronized boolean mustStop() {
        if (stopped) {
            return true;
        }
        if (shutdown.getAsBoolean() || Thread.currentThread().isInterrupted()) {
            stopFor(StopException.Reason.SHUTDOWN);
        } else if (System.nanoTime() - lastLook >= LOOK_NANOS) {
            lastLook = System.nanoTime();
            if (store.isCancelled(tenant, id)) {
                stopFor(StopException.Reason.CANCELLED);
            }
        }
        return stopped;
    }

    synchronized void throwIfStopped() {
        if (mustStop()) {
            throw new StopException(stop);
        }
    }

    private void stopFor(StopException.Reason reason) {
        stopped = true;
        stop = reason;
    }
}
