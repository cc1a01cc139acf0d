package dev.tsumugi.trainer.jobs;

import dev.tsumugi.trainer.mlflow.MlflowServer;
import dev.tsumugi.trainer.mlflow.TrackedRun;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Tells an MLflow server, where there is one, of each finished job: its settings, losses and figures, but no question, answer or passage.
 * The job's row is what counts, so nothing waits for the server, and what it does not take is not sent again.
 */
final class JobTracking {
    private static final Logger log = LoggerFactory.getLogger(JobTracking.class);

    private final JobStore store;
    private final @Nullable MlflowServer server;
    private final JsonMapper json;

    /** @param server null: there is none */
    JobTracking(JobStore store, @Nullable MlflowServer server, JsonMapper json) {
        this.store = store;
        this.server = server;
        this.json = json;
    }

    /** Returns at once. */
    void finished(String tenant, UUID id) {
        MlflowServer to = server;
        if (to != null) {
            Thread.ofVirtual().name("mlflow-" + id).start(() -> send(to, tenant, id));
        }
    }

    private void send(MlflowServer to, String tenant, UUID id) {
        try {
            Job job = store.find(tenant, id).orElseThrow();
            to.record(run(tenant, job.with(store.losses(tenant, id))));
        } catch (IOException | RuntimeException e) {
            log.warn("Job {} is not recorded in MLflow (tsumugi.mlflow.url): {}", id, e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private TrackedRun run(String tenant, Job job) {
        Instant ended = Objects.requireNonNullElse(job.finishedAt(), job.createdAt());
        return new TrackedRun(
                "tsumugi/" + tenant,
                job.adapter() + "-" + job.id().toString().substring(0, 8),
                switch (job.state()) {
                    case REFUSED, FAILED -> TrackedRun.Status.FAILED;
                    case CANCELLED -> TrackedRun.Status.KILLED;
                    default -> TrackedRun.Status.FINISHED;
                },
                Objects.requireNonNullElse(job.startedAt(), job.createdAt()),
                ended,
                parameters(job),
                tags(job),
                metrics(job));
    }

    private Map<String, String> parameters(Job job) {
        JobSettings settings = trainedWith(job);
        Map<String, String> parameters = new LinkedHashMap<>();
        parameters.put("objective", settings.isRagSequence() ? "rag-sequence" : "sft");
        parameters.put("passages", settings.passages().toString());
        parameters.put("unanswerableShare", Double.toString(settings.set().unanswerableShare()));
        json.valueToTree(settings.training())
                .forEachEntry((name, value) ->
                        parameters.put(name.equals("schedule") ? "learningRateSchedule" : name, text(value)));
        return parameters;
    }

    private static String text(JsonNode value) {
        if (value.isArray()) {
            return value.valueStream().map(JsonNode::asString).collect(Collectors.joining(","));
        }
        return value.asString().toLowerCase(Locale.ROOT);
    }

    /** The best of its sweep, where it has one. */
    private static JobSettings trainedWith(Job job) {
        Sweep sweep = job.settings().sweep();
        if (sweep == null) {
            return job.settings();
        }
        List<JobSettings> combinations = sweep.combinations(job.settings());
        return job.trials().stream()
                .filter(trial -> trial.loss() != null)
                .max(Comparator.comparingInt(Trial::round)
                        .thenComparing(Comparator.comparingDouble((Trial trial) -> Objects.requireNonNull(trial.loss()))
                                .reversed())
                        .thenComparing(
                                Comparator.comparingInt(Trial::combination).reversed()))
                .map(trial -> combinations.get(trial.combination()))
                .orElse(combinations.getFirst());
    }

    private static Map<String, String> tags(Job job) {
        Map<String, String> tags = new LinkedHashMap<>();
        tags.put("tsumugi.job", job.id().toString());
        tags.put("tsumugi.adapter", job.adapter());
        tags.put("tsumugi.state", job.state().name());
        // The description that MLflow's pages show.
        putIfKnown(tags, "mlflow.note.content", job.message());
        putIfKnown(tags, "tsumugi.schedule", job.schedule());
        putIfKnown(tags, "tsumugi.set", job.set() == null ? null : job.set().toString());
        putIfKnown(tags, "tsumugi.candidate", job.candidate());
        putIfKnown(tags, "tsumugi.champion", job.champion());
        return tags;
    }

    private static void putIfKnown(Map<String, String> tags, String key, @Nullable String value) {
        if (value != null) {
            tags.put(key, value);
        }
    }

    private static List<TrackedRun.Metric> metrics(Job job) {
        List<TrackedRun.Metric> metrics = new ArrayList<>();
        Job.Losses losses = job.losses();
        if (losses != null) {
            for (Job.Loss loss : losses.train()) {
                add(metrics, "train/loss", loss.loss(), loss.step());
                if (loss.learningRate() != null) {
                    add(metrics, "train/learningRate", loss.learningRate(), loss.step());
                }
            }
            for (Job.Loss loss : losses.validation()) {
                add(metrics, "validation/loss", loss.loss(), loss.step());
            }
        }
        JsonNode report = job.report();
        if (report != null) {
            add(metrics, "gate", report);
            for (String part : List.of("candidate", "champion", "retrieval")) {
                add(metrics, part, report.path(part));
            }
        }
        return metrics;
    }

    private static void add(List<TrackedRun.Metric> metrics, String group, JsonNode figures) {
        figures.forEachEntry((name, value) -> {
            if (value.isNumber()) {
                add(metrics, group + "/" + name, value.doubleValue(), 0);
            }
        });
    }

    private static void add(List<TrackedRun.Metric> metrics, String key, double value, int step) {
        if (Double.isFinite(value)) {
            metrics.add(new TrackedRun.Metric(key, value, step));
        }
    }
}
