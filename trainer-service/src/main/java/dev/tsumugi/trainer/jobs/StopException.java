package dev.tsumugi.trainer.jobs;

/** Ends a job between two parts of its work. */
final class StopException extends RuntimeException {
    enum Reason {
        CANCELLED,
        /** The trainer stops; another one goes on. */
        SHUTDOWN,
        /** Another trainer has taken the job. */
        LOST
    }

    private final Reason reason;

    StopException(Reason reason) {
        super(reason.name(), null, false, false);
        this.reason = reason;
    }

    Reason reason() {
        return reason;
    }
}
