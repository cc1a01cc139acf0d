package dev.tsumugi.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.awaitility.Awaitility.await;

import dev.tsumugi.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** A job against a real {@code mlflow server}, which takes minutes to install: with {@code -Dtsumugi.test.python=true} only. */
class MlflowIT {
    private static final Duration LONG = Duration.ofMinutes(3);

    @TempDir
    static Path folder;

    private final HttpClient http = HttpClient.newHttpClient();
    private String url = "";

    @Test
    void the_settings_losses_and_figures_of_jobs_are_in_mlflow() throws Exception {
        Path programs = PythonPrograms.of("mlflow==3.5.1", "sqlalchemy==2.0.44");
        try (ServerSocket free = new ServerSocket(0)) {
            url = "http://127.0.0.1:" + free.getLocalPort();
        }
        Process server = new ProcessBuilder(
                        programs.resolve("mlflow").toString(),
                        "server",
                        "--workers=1",
                        "--host=127.0.0.1",
                        "--port=" + URI.create(url).getPort(),
                        "--backend-store-uri=sqlite:///" + folder.resolve("runs.db"),
                        "--default-artifact-root=" + folder.resolve("artifacts"))
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("mlflow.log").toFile())
                .start();
        try (RunningTrainer.StandIns others = new RunningTrainer.StandIns("{}")) {
            await().atMost(LONG)
                    .ignoreExceptions()
                    .failFast("mlflow server has ended", () -> !server.isAlive())
                    .until(() -> get("/health").statusCode() == 200);
            try (RunningTrainer trainer = new RunningTrainer(
                    EmbeddedPostgres.shared().createDatabase("mlflow_it"),
                    folder,
                    Map.of(
                            "tsumugi.mlflow.url",
                            url,
                            "tsumugi.trainer.retriever-urls",
                            others.url(),
                            "tsumugi.trainer.generator-urls",
                            others.url(),
                            "tsumugi.trainer.embed-url",
                            others.url(),
                            "tsumugi.trainer.gate.min-questions",
                            "10",
                            "tsumugi.trainer.gate.replay-margin",
                            "10"))) {
                check(trainer);
            }
        } finally {
            server.descendants().forEach(ProcessHandle::destroyForcibly);
            server.destroyForcibly().waitFor();
        }
    }

    private void check(RunningTrainer trainer) throws Exception {
        trainer.post(200, "/internal/training/examples", "acme", TrainingLoopIT.examples(120, "blue", "blue"));
        Map<String, Object> settings = new HashMap<>(TrainingLoopIT.QUICK);
        settings.remove("learningRate");
        settings.put("sweep", Map.of("learningRates", List.of(1e-6, 0.01), "firstSteps", 3));
        JsonNode job = finished(trainer, Map.of("adapter", "lamps", "settings", settings));
        assertThat(job.get("state").stringValue()).as(job.toString()).isEqualTo("PROMOTED");
        JsonNode run = run(job);
        assertThat(run.at("/info/status").stringValue()).isEqualTo("FINISHED");
        assertThat(pairs(run.at("/data/params")))
                .containsEntry("objective", "sft")
                .containsEntry("rank", "8")
                .containsEntry("targets", "all-linear")
                .containsEntry("learningRate", "0.01")
                .containsEntry("microBatchTokens", "512")
                .containsEntry("base", "served");
        assertThat(pairs(run.at("/data/tags")))
                .containsEntry("tsumugi.state", "PROMOTED")
                .containsEntry("tsumugi.champion", "bare model")
                .containsEntry("tsumugi.candidate", job.get("candidate").stringValue())
                .containsEntry("mlflow.note.content", job.get("message").stringValue());
        JsonNode report = job.get("report");
        Map<String, String> latest = pairs(run.at("/data/metrics"));
        for (String figure : List.of("candidate/f1", "candidate/loss", "champion/f1", "champion/replayLoss")) {
            assertThat(Double.parseDouble(latest.get(figure)))
                    .as(figure)
                    .isCloseTo(report.at("/" + figure).doubleValue(), within(1e-9));
        }
        assertThat(Double.parseDouble(latest.get("gate/answerable")))
                .isEqualTo(report.get("answerable").doubleValue());
        String id = run.at("/info/run_id").stringValue();
        List<JsonNode> train = job.at("/losses/train").valueStream().toList();
        List<JsonNode> points = json(get(
                        "/api/2.0/mlflow/metrics/get-history?metric_key=train/loss&max_results=1000&run_id=" + id))
                .get("metrics")
                .valueStream()
                .toList();
        assertThat(points).hasSameSizeAs(train);
        for (int i = 0; i < train.size(); i++) {
            assertThat(points.get(i).get("step").asInt())
                    .isEqualTo(train.get(i).get("step").intValue());
            assertThat(points.get(i).get("value").doubleValue())
                    .isCloseTo(train.get(i).get("loss").doubleValue(), within(1e-9));
        }

        JsonNode refused =
                finished(trainer, Map.of("adapter", "lamps", "settings", Map.of("targets", List.of("no_such_layer"))));
        assertThat(refused.get("state").stringValue()).isEqualTo("REFUSED");
        assertThat(run(refused).at("/info/status").stringValue()).isEqualTo("FAILED");
    }

    private static JsonNode finished(RunningTrainer trainer, Map<String, Object> body) throws Exception {
        String id = trainer.post(202, "/internal/training/jobs", "acme", body)
                .get("id")
                .stringValue();
        String path = "/internal/training/jobs/" + id;
        await().atMost(LONG)
                .until(() -> TrainingLoopIT.FINISHED.contains(
                        trainer.get(path, "acme").get("state").stringValue()));
        return trainer.get(path, "acme");
    }

    /** The run that MLflow has of the job, once it has ended there too. */
    private JsonNode run(JsonNode job) throws Exception {
        await().atMost(LONG).until(() -> !ended(job).isEmpty());
        return ended(job).get(0);
    }

    private JsonNode ended(JsonNode job) throws Exception {
        JsonNode experiment = json(get("/api/2.0/mlflow/experiments/get-by-name?experiment_name=tsumugi/acme"));
        String body = RunningTrainer.JSON.writeValueAsString(Map.of(
                "experiment_ids",
                List.of(experiment.at("/experiment/experiment_id").asString()),
                "filter",
                "tags.`tsumugi.job` = '" + job.get("id").stringValue() + "' and attributes.end_time > 0"));
        return json(http.send(
                        HttpRequest.newBuilder(URI.create(url + "/api/2.0/mlflow/runs/search"))
                                .header("Content-Type", "application/json")
                                .POST(HttpRequest.BodyPublishers.ofString(body))
                                .build(),
                        HttpResponse.BodyHandlers.ofString()))
                .path("runs");
    }

    private HttpResponse<String> get(String path) throws IOException, InterruptedException {
        return http.send(HttpRequest.newBuilder(URI.create(url + path)).build(), HttpResponse.BodyHandlers.ofString());
    }

    private static JsonNode json(HttpResponse<String> response) {
        return RunningTrainer.JSON.readTree(response.body());
    }

    private static Map<String, String> pairs(JsonNode list) {
        Map<String, String> pairs = new HashMap<>();
        list.forEach(
                pair -> pairs.put(pair.get("key").asString(), pair.get("value").asString()));
        return pairs;
    }
}
