package dev.tsumugi.trainer.mlflow;

import java.time.Instant;
import java.util.List;
import java.util.Map;

/**
 * One finished job, as MLflow keeps it.
 *
 * @param experiment that the run belongs to; it is made if it is not there
 * @param parameters at most a hundred
 * @param metrics any number of points, finite
 */
public record TrackedRun(
        String experiment,
        String name,
        Status status,
        Instant started,
        Instant ended,
        Map<String, String> parameters,
        Map<String, String> tags,
        List<Metric> metrics) {

    /** By their names in MLflow. */
    public enum Status {
        FINISHED,
        FAILED,
        KILLED
    }

    /** @param step of the training that it was measured at; 0 for what is measured once */
    public record Metric(String key, double value, int step) {}
}
