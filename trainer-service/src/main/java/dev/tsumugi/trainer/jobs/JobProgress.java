package dev.tsumugi.trainer.jobs;

/**
 * How far a job is in its state.
 *
 * @param done steps while it trains; examples with contexts while it is prepared; answered questions while it is evaluated
 * @param total of them
 * @param epoch from 1 while it trains, else 0
 * @param tokensPerSecond of the last step, or 0
 * @param remainingSeconds estimated, or 0
 */
record JobProgress(int done, int total, int epoch, double tokensPerSecond, long remainingSeconds) {
    static JobProgress of(int done, int total) {
        return new JobProgress(done, total, 0, 0, 0);
    }
}
