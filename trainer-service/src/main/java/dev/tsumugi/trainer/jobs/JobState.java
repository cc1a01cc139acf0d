package dev.tsumugi.trainer.jobs;

/** Where a job stands. */
enum JobState {
    QUEUED,
    /** The set is made and contexts are fetched. */
    PREPARING,
    TRAINING,
    /** Candidate against champion. */
    EVALUATING,
    /** The candidate was better and is published. */
    PROMOTED,
    /** The gate says why not. */
    REJECTED,
    /** A schedule fired, but nothing has changed since its last job. */
    UNCHANGED,
    /** It cannot be trained; the message says what to mend. */
    REFUSED,
    FAILED,
    CANCELLED;

    boolean isFinished() {
        return ordinal() >= PROMOTED.ordinal();
    }
}
