package dev.tsumugi.trainer.mlflow;

import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * An MLflow tracking server, by its REST API 2.0 (mlflow.org/docs/latest/api_reference/rest-api.html), which its versions 1 to 3 speak.
 */
public final class MlflowServer {
    private static final Duration CONNECT_LIMIT = Duration.ofSeconds(5);
    private static final Duration ANSWER_LIMIT = Duration.ofSeconds(10);
    private static final int MOST_ANSWER_BYTES = 1 << 20;
    /** Of one call, by the API's documentation. */
    private static final int MOST_METRICS = 1000;
    /** Characters that all versions since 1.28 take. */
    private static final int LONGEST_PARAMETER = 500;

    private static final int LONGEST_TAG = 5000;

    private final URI api;
    private final Duration answerLimit;
    private final JsonMapper json;
    private final HttpClient http =
            HttpClient.newBuilder().connectTimeout(CONNECT_LIMIT).build();

    /** @param url as in {@link MlflowProperties}, not empty */
    public MlflowServer(String url, JsonMapper json) {
        this(url, ANSWER_LIMIT, json);
    }

    MlflowServer(String url, Duration answerLimit, JsonMapper json) {
        this.api = URI.create(url.replaceAll("/+$", "") + "/api/2.0/mlflow/");
        this.answerLimit = answerLimit;
        this.json = json;
    }

    /**
     * Records a run. What fails on the way leaves a run that MLflow shows as running.
     *
     * @throws IOException naming the call when the server cannot be reached, does not answer in ten seconds, or refuses
     */
    public void record(TrackedRun run) throws IOException, InterruptedException {
        String id = call(
                        "runs/create",
                        Map.of(
                                "experiment_id", experiment(run.experiment()),
                                "run_name", run.name(),
                                "start_time", run.started().toEpochMilli(),
                                "tags", pairs(run.tags(), LONGEST_TAG)))
                .at("/run/info/run_id")
                .asString();
        call("runs/log-batch", Map.of("run_id", id, "params", pairs(run.parameters(), LONGEST_PARAMETER)));
        for (int from = 0; from < run.metrics().size(); from += MOST_METRICS) {
            List<TrackedRun.Metric> some =
                    run.metrics().subList(from, Math.min(run.metrics().size(), from + MOST_METRICS));
            call(
                    "runs/log-batch",
                    Map.of("run_id", id, "metrics", metrics(some, run.ended().toEpochMilli())));
        }
        call(
                "runs/update",
                Map.of(
                        "run_id", id,
                        "status", run.status().name(),
                        "end_time", run.ended().toEpochMilli()));
    }

    private String experiment(String name) throws IOException, InterruptedException {
        String byName = "experiments/get-by-name?experiment_name=" + URLEncoder.encode(name, StandardCharsets.UTF_8);
        Answer found = send(HttpRequest.newBuilder(api.resolve(byName)).GET());
        if (found.status() == 404) {
            Answer made = send(post("experiments/create", Map.of("name", name)));
            if (made.status() == 200) {
                return made.body("experiments/create").path("experiment_id").asString();
            }
            // Another trainer may have made it in between; if not, this answer says what is wrong.
            found = send(HttpRequest.newBuilder(api.resolve(byName)).GET());
        }
        return found.body("experiments/get-by-name")
                .at("/experiment/experiment_id")
                .asString();
    }

    private JsonNode call(String method, Map<String, ?> body) throws IOException, InterruptedException {
        return send(post(method, body)).body(method);
    }

    private HttpRequest.Builder post(String method, Map<String, ?> body) {
        return HttpRequest.newBuilder(api.resolve(method))
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(json.writeValueAsString(body)));
    }

    private Answer send(HttpRequest.Builder request) throws IOException, InterruptedException {
        // A request's own timeout ends with the headers of the answer; this one holds for all of it.
        CompletableFuture<HttpResponse<String>> answer = http.sendAsync(
                request.build(),
                HttpResponse.BodyHandlers.limiting(HttpResponse.BodyHandlers.ofString(), MOST_ANSWER_BYTES));
        try {
            HttpResponse<String> response = answer.get(answerLimit.toMillis(), TimeUnit.MILLISECONDS);
            return new Answer(response.statusCode(), response.body(), json);
        } catch (TimeoutException e) {
            throw new IOException("it does not answer in " + answerLimit, e);
        } catch (ExecutionException e) {
            throw new IOException(String.valueOf(e.getCause()), e);
        } finally {
            answer.cancel(true);
        }
    }

    private record Answer(int status, String text, JsonMapper json) {
        JsonNode body(String method) throws IOException {
            if (status != 200) {
                throw new IOException(method + " is answered with " + status + ": "
                        + text.substring(0, Math.min(text.length(), 300)).strip());
            }
            try {
                return json.readTree(text);
            } catch (JacksonException e) {
                throw new IOException(method + " is not answered in JSON; is it an MLflow server?", e);
            }
        }
    }

    private static List<Map<String, Object>> pairs(Map<String, String> values, int longest) {
        List<Map<String, Object>> pairs = new ArrayList<>();
        values.forEach((key, value) ->
                pairs.add(Map.of("key", key, "value", value.substring(0, Math.min(value.length(), longest)))));
        return pairs;
    }

    private static List<Map<String, Object>> metrics(List<TrackedRun.Metric> metrics, long timestamp) {
        return metrics.stream()
                .map(metric -> Map.<String, Object>of(
                        "key", metric.key(), "value", metric.value(), "timestamp", timestamp, "step", metric.step()))
                .toList();
    }
}
