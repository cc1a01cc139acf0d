package dev.tsumugi.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tsumugi.contracts.DocumentState;
import dev.tsumugi.contracts.Topics;
import dev.tsumugi.contracts.event.DocumentStatus;
import dev.tsumugi.embedded.EmbeddedKafka;
import dev.tsumugi.embedded.EmbeddedPostgres;
import java.nio.file.Path;
import java.sql.Timestamp;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.datasource.DriverManagerDataSource;
import tools.jackson.databind.JsonNode;

/** From examples to an adapter that answers, with a model that has learned nothing before. */
class TrainingLoopIT {
    private static final Duration LONG = Duration.ofMinutes(3);
    static final Set<String> FINISHED = Set.of("PROMOTED", "REJECTED", "UNCHANGED", "REFUSED", "FAILED", "CANCELLED");
    /** A model of two layers learns one word in some seconds; its replay loss means nothing. */
    static final Map<String, Object> QUICK = Map.of(
            "rank",
            8,
            "learningRate",
            0.01,
            "warmUpSteps",
            2,
            "epochs",
            6,
            "microBatchTokens",
            512,
            "gradientAccumulation",
            2,
            "unanswerableShare",
            0);

    @TempDir
    static Path folder;

    private static String database;
    private static RunningTrainer trainer;
    private static RunningTrainer.StandIns others;

    @BeforeAll
    static void start() throws Exception {
        database = EmbeddedPostgres.shared().createDatabase("training_loop_it");
        others = new RunningTrainer.StandIns("""
                {"hits": [{"documentId": "manual", "chunkId": "manual#0", "version": 1, "title": "", "heading": "",
                  "text": "The lamp is blue.", "score": 1, "similarity": 0.9, "start": 0, "end": 17}],
                 "indexGeneration": "g", "degraded": null}""");
        trainer = start(Map.of());
    }

    private static RunningTrainer start(Map<String, Object> more) {
        Map<String, Object> properties = new HashMap<>(Map.of(
                "tsumugi.trainer.retriever-urls",
                "http://127.0.0.1:1," + others.url(),
                "tsumugi.trainer.generator-urls",
                "http://127.0.0.1:1," + others.url(),
                "tsumugi.trainer.embed-url",
                others.url(),
                "tsumugi.trainer.gate.min-questions",
                "10",
                "tsumugi.trainer.gate.replay-margin",
                "10",
                // Nobody listens there, which must not matter to any job.
                "tsumugi.mlflow.url",
                "http://127.0.0.1:1"));
        properties.putAll(more);
        return new RunningTrainer(database, folder, properties);
    }

    @AfterAll
    static void stop() {
        trainer.close();
        others.close();
    }

    @Test
    void a_better_adapter_is_promoted_and_one_from_poisoned_examples_is_refused() throws Exception {
        String tenant = "loop";
        trainer.post(200, "/internal/training/examples", tenant, examples(120, "blue", "blue"));
        JsonNode good = finished(tenant, startJob(tenant, Map.of("adapter", "lamps", "settings", QUICK)));
        assertThat(good.get("state").stringValue()).as(good.toString()).isEqualTo("PROMOTED");
        assertThat(good.get("message").stringValue()).contains("answers clearly better", "It answers from now on");
        assertThat(good.get("forecast").get("base").longValue()).isPositive();
        List<JsonNode> losses = good.get("losses").get("train").valueStream().toList();
        assertThat(losses).hasSizeGreaterThan(10);
        assertThat(losses.getLast().get("loss").doubleValue())
                .isLessThan(0.5 * losses.getFirst().get("loss").doubleValue());
        assertThat(good.get("losses").get("validation")).isNotEmpty();
        JsonNode scores = good.get("report").get("candidate");
        assertThat(scores.get("f1").doubleValue()).isGreaterThan(0.9);
        assertThat(good.get("report").get("champion").get("f1").doubleValue()).isLessThan(0.1);
        assertThat(good.get("champion").stringValue()).isEqualTo("bare model");
        String digest = good.get("candidate").stringValue();
        assertThat(trainer.get("/internal/adapters", tenant).toString()).contains(digest);

        // Everything that may be learned says something wrong now; what is held out was taken down before.
        trainer.post(200, "/internal/training/examples", tenant, examples(120, "pink", "pink"));
        JsonNode bad = finished(tenant, startJob(tenant, Map.of("adapter", "lamps", "settings", QUICK)));
        assertThat(bad.get("state").stringValue()).as(bad.toString()).isEqualTo("REJECTED");
        assertThat(bad.get("message").stringValue()).contains("It answers worse");
        assertThat(bad.get("champion").stringValue()).isEqualTo("lamps@" + digest);
        assertThat(bad.get("candidate").isNull()).isTrue();
        assertThat(trainer.get("/internal/adapters", tenant).toString()).contains(digest);
        assertThat(bad.get("report").get("samples")).isNotEmpty();
    }

    @Test
    void an_example_without_contexts_gets_them_from_the_retriever_and_training_waits_for_those_who_ask()
            throws Exception {
        String tenant = "retrieved";
        StringBuilder lines = new StringBuilder();
        for (int i = 0; i < 60; i++) {
            lines.append(RunningTrainer.JSON.writeValueAsString(
                            Map.of("question", "Which colour has the lamp in room " + i + "?", "answer", "blue")))
                    .append('\n');
        }
        trainer.post(200, "/internal/training/examples", tenant, lines.toString());
        int searches = others.searches;
        others.running = 1;
        Map<String, Object> settings = new HashMap<>(QUICK);
        settings.put("maxSteps", 3);
        String id = startJob(tenant, Map.of("settings", settings));
        JsonNode job = finished(tenant, id);
        others.running = 0;
        assertThat(job.get("state").stringValue()).as(job.toString()).isIn("PROMOTED", "REJECTED");
        assertThat(others.searches - searches).isEqualTo(60);
        assertThat(job.get("losses").get("train")).hasSize(3);
        assertThat(others.looks).isPositive();
        assertThat(trainer.call("GET", "/internal/training/jobs/" + id, "another", null)
                        .statusCode())
                .isEqualTo(404);
    }

    @Test
    void what_is_deleted_while_a_job_fetches_it_is_not_learned_and_what_is_deleted_later_is_listed() throws Exception {
        String tenant = "deleted";
        StringBuilder lines = new StringBuilder();
        for (int i = 0; i < 60; i++) {
            lines.append(RunningTrainer.JSON.writeValueAsString(
                            Map.of("question", "Which colour has the lamp in room " + i + "?", "answer", "blue")))
                    .append('\n');
        }
        trainer.post(200, "/internal/training/examples", tenant, lines.toString());
        Map<String, Object> settings = new HashMap<>(QUICK);
        settings.put("maxSteps", 2);
        AtomicBoolean deleted = new AtomicBoolean();
        others.beforeSearch = () -> {
            if (deleted.compareAndSet(false, true)) {
                delete(tenant, "manual");
            }
        };
        try {
            JsonNode job = finished(tenant, startJob(tenant, Map.of("settings", settings)));
            assertThat(job.get("state").stringValue()).isEqualTo("REFUSED");
            assertThat(job.get("notes").toString() + job.get("message").stringValue())
                    .contains("no ");
        } finally {
            others.beforeSearch = () -> {};
        }
        assertThat(trainer.get("/internal/training/withdrawals", tenant).get("documents"))
                .isEmpty();

        JsonNode second = finished(tenant, startJob(tenant, Map.of("settings", settings)));
        assertThat(second.get("losses").get("train")).isNotEmpty();
        delete(tenant, "manual");
        assertThat(trainer.get("/internal/training/withdrawals", tenant).get("documents"))
                .hasSize(1);
    }

    /** As ingest-service tells of a deletion; returns when the trainer has heard of it. */
    private static void delete(String tenant, String document) {
        Timestamp before = jdbc().queryForObject("SELECT clock_timestamp()", Timestamp.class);
        DocumentStatus status = new DocumentStatus(
                DocumentStatus.SCHEMA_VERSION, tenant, document, 2, DocumentState.DELETED, 0, null, Instant.now());
        try (KafkaProducer<String, byte[]> producer = new KafkaProducer<>(
                Map.of("bootstrap.servers", EmbeddedKafka.shared().bootstrapServers()),
                new StringSerializer(),
                new ByteArraySerializer())) {
            producer.send(new ProducerRecord<>(
                    Topics.DOCUMENT_STATUS, tenant + "/" + document, RunningTrainer.JSON.writeValueAsBytes(status)));
        }
        await().atMost(LONG)
                .until(() -> !jdbc().queryForList(
                                "SELECT 1 FROM trainer.withdrawn_documents WHERE tenant = ? AND document_id = ? AND withdrawn_at > ?",
                                tenant,
                                document,
                                before)
                        .isEmpty());
    }

    @Test
    void a_job_whose_trainer_stops_goes_on_in_another_one_where_it_stood() throws Exception {
        String tenant = "resumed";
        trainer.post(200, "/internal/training/examples", tenant, examples(120, "blue", "blue"));
        trainer.close();
        RunningTrainer first = start(Map.of());
        String id;
        int stepsBefore;
        try {
            Map<String, Object> settings = new HashMap<>(QUICK);
            settings.put("epochs", 30);
            settings.put("evaluateEverySteps", 5);
            id = first.post(202, "/internal/training/jobs", tenant, Map.of("settings", settings))
                    .get("id")
                    .stringValue();
            await().atMost(LONG)
                    .until(() -> first.get("/internal/training/jobs/" + id, tenant)
                                    .get("losses")
                                    .get("train")
                                    .size()
                            >= 12);
            first.call("DELETE", "/internal/training/examples/none", tenant, null);
        } finally {
            first.close();
        }
        trainer = start(Map.of());
        JsonNode between = trainer.get("/internal/training/jobs/" + id, tenant);
        stepsBefore = between.get("losses").get("train").size();
        JsonNode job = finished(tenant, id);
        assertThat(job.get("state").stringValue()).as(job.toString()).isIn("PROMOTED", "REJECTED");
        assertThat(job.get("attempts").intValue()).isEqualTo(2);
        List<Integer> steps = job.get("losses")
                .get("train")
                .valueStream()
                .map(point -> point.get("step").intValue())
                .toList();
        assertThat(steps).hasSizeGreaterThan(stepsBefore).doesNotHaveDuplicates();
        assertThat(steps.getFirst()).isEqualTo(1);
        assertThat(steps.getLast()).isEqualTo(steps.size());
    }

    @Test
    void rag_sequence_trains_a_query_adapter_beside_the_adapter_and_the_gate_looks_at_what_questions_find()
            throws Exception {
        String tenant = "rag";
        trainer.post(200, "/internal/training/examples", tenant, examples(120, "blue", "blue"));
        Map<String, Object> settings = new HashMap<>(QUICK);
        settings.put("objective", "rag-sequence");
        settings.put("epochs", 4);
        JsonNode job = finished(tenant, startJob(tenant, Map.of("adapter", "lamps", "settings", settings)));
        assertThat(job.get("state").stringValue()).as(job.toString()).isEqualTo("PROMOTED");
        List<JsonNode> losses = job.get("losses").get("train").valueStream().toList();
        assertThat(losses.getLast().get("loss").doubleValue())
                .isLessThan(0.5 * losses.getFirst().get("loss").doubleValue());
        JsonNode retrieval = job.get("report").get("retrieval");
        assertThat(retrieval.get("questions").intValue()).isGreaterThan(10);
        assertThat(retrieval.get("champion").doubleValue())
                .as("question and passage have the same number")
                .isEqualTo(1);
        JsonNode adapter = trainer.get("/internal/adapters/lamps", tenant);
        String query = adapter.get("versions")
                .get(0)
                .get("metrics")
                .get("queryAdapter")
                .stringValue();
        JsonNode file =
                RunningTrainer.json(200, trainer.call("GET", "/internal/query-adapters/" + query, tenant, null));
        assertThat(file.get("indexGeneration").stringValue()).isEqualTo("words-1");
        assertThat(trainer.call("GET", "/internal/query-adapters/" + "0".repeat(64), tenant, null)
                        .statusCode())
                .isEqualTo(404);
        for (Map<String, Object> bad : List.<Map<String, Object>>of(
                Map.of("objective", "dpo"),
                Map.of("objective", "rag-sequence", "labelSmoothing", 0.1),
                Map.of("objective", "rag-sequence", "sweep", Map.of("ranks", List.of(2, 8))))) {
            trainer.post(400, "/internal/training/jobs", tenant, Map.of("settings", bad));
        }
    }

    @Test
    @ExtendWith(OutputCaptureExtension.class)
    void an_mlflow_server_that_cannot_be_reached_costs_a_job_one_line_of_the_log(CapturedOutput output)
            throws Exception {
        String id = startJob("untracked", Map.of());
        assertThat(finished("untracked", id).get("state").stringValue()).isEqualTo("REFUSED");
        String line = "Job " + id + " is not recorded in MLflow";
        await().atMost(LONG).until(() -> output.getOut().contains(line));
        assertThat(output.getOut()).containsOnlyOnce(line);
    }

    @Test
    void a_job_of_a_dead_trainer_is_taken_over() throws Exception {
        String tenant = "dead";
        JdbcTemplate jdbc = jdbc();
        String id = jdbc.queryForObject("""
                INSERT INTO trainer.jobs (tenant, adapter, state, priority, settings, attempts)
                VALUES ('dead', 'x', 'TRAINING', 0, '{}', 1) RETURNING id::text""", String.class);
        jdbc.update("""
                INSERT INTO trainer.job_queue (task_name, task_instance, execution_time, picked, picked_by, last_heartbeat, version, priority)
                VALUES ('training-job', ?, now() - interval '1 hour', true, 'gone', now() - interval '1 hour', 1, 0)""", tenant + "/" + id);
        JsonNode job = finished(tenant, id);
        assertThat(job.get("attempts").intValue()).isEqualTo(2);
        assertThat(job.get("state").stringValue()).isEqualTo("REFUSED");
        assertThat(job.get("message").stringValue()).contains("no training examples");
    }

    @Test
    void a_job_that_runs_and_one_that_waits_are_cancelled_and_the_higher_priority_goes_first() throws Exception {
        String tenant = "cancelled";
        trainer.post(200, "/internal/training/examples", tenant, examples(120, "blue", "blue"));
        Map<String, Object> settings = new HashMap<>(QUICK);
        settings.put("epochs", 5000);
        String runs = startJob(tenant, Map.of("settings", settings));
        await().atMost(LONG)
                .until(() -> !job(tenant, runs).get("losses").get("train").isEmpty());
        String low = startJob(tenant, Map.of("settings", settings, "priority", -5));
        String high = startJob(tenant, Map.of("settings", settings, "priority", 5));
        String waits = startJob(tenant, Map.of("settings", settings, "priority", 7));
        RunningTrainer.json(202, trainer.call("DELETE", "/internal/training/jobs/" + waits, tenant, null));
        assertThat(job(tenant, waits).get("state").stringValue()).isEqualTo("CANCELLED");
        trainer.call("DELETE", "/internal/training/jobs/" + runs, tenant, null);
        assertThat(finished(tenant, runs).get("state").stringValue()).isEqualTo("CANCELLED");
        await().atMost(LONG)
                .until(() -> !job(tenant, high).get("state").stringValue().equals("QUEUED"));
        assertThat(job(tenant, low).get("state").stringValue()).isEqualTo("QUEUED");
        trainer.call("DELETE", "/internal/training/jobs/" + low, tenant, null);
        trainer.call("DELETE", "/internal/training/jobs/" + high, tenant, null);
        assertThat(finished(tenant, high).get("state").stringValue()).isEqualTo("CANCELLED");
    }

    @Test
    void a_schedule_makes_a_job_at_its_time_and_none_that_would_learn_nothing_new() throws Exception {
        String tenant = "scheduled";
        trainer.post(200, "/internal/training/examples", tenant, examples(60, "blue", "blue"));
        Map<String, Object> settings = new HashMap<>(QUICK);
        settings.put("maxSteps", 2);
        JsonNode schedule = trainer.post(
                201,
                "/internal/training/schedules",
                tenant,
                Map.of(
                        "name",
                        "nightly",
                        "cron",
                        "0 3 * * *",
                        "zone",
                        "Asia/Tokyo",
                        "adapter",
                        "n",
                        "settings",
                        settings));
        assertThat(schedule.get("next").stringValue()).endsWith("T18:00:00Z");
        assertThat(finished(tenant, fire(tenant)).get("state").stringValue()).isIn("PROMOTED", "REJECTED");
        assertThat(finished(tenant, fire(tenant)).get("state").stringValue()).isEqualTo("UNCHANGED");
        trainer.post(
                200,
                "/internal/training/examples",
                tenant,
                "{\"question\": \"new?\", \"answer\": \"blue\", \"context\": \"It is blue.\"}");
        assertThat(finished(tenant, fire(tenant)).get("state").stringValue()).isIn("PROMOTED", "REJECTED");
        assertThat(trainer.call("DELETE", "/internal/training/schedules/nightly", tenant, null)
                        .statusCode())
                .isEqualTo(204);
        assertThat(trainer.get("/internal/training/schedules", tenant).get("schedules"))
                .isEmpty();
    }

    @Test
    void a_sweep_halves_its_settings_by_validation_loss_and_trains_with_the_best() throws Exception {
        String tenant = "sweep";
        trainer.post(200, "/internal/training/examples", tenant, examples(120, "blue", "blue"));
        Map<String, Object> settings = new HashMap<>(QUICK);
        settings.put("maxSteps", 30);
        settings.remove("rank");
        settings.remove("learningRate");
        settings.put("sweep", Map.of("ranks", List.of(2, 8), "learningRates", List.of(1e-6, 0.01), "firstSteps", 4));
        JsonNode job = finished(tenant, startJob(tenant, Map.of("settings", settings)));
        assertThat(job.get("state").stringValue()).as(job.toString()).isIn("PROMOTED", "REJECTED");
        List<JsonNode> trials = job.get("trials").valueStream().toList();
        assertThat(trials).hasSize(6);
        assertThat(trials.subList(0, 4)).allMatch(trial -> trial.get("steps").intValue() == 4);
        assertThat(trials.subList(4, 6))
                .allMatch(trial -> trial.get("steps").intValue() == 8
                        && trial.get("learningRate").doubleValue() == 0.01);
        assertThat(trials.get(0).get("trainableParameters").longValue())
                .isLessThan(trials.get(2).get("trainableParameters").longValue());
        assertThat(job.get("losses").get("train")).hasSize(30);
        assertThat(job.get("notes").toString()).contains("best settings of the sweep", "0.01");

        for (Object sweep : List.of(Map.of(), Map.of("ranks", List.of(0, 8)), Map.of("bases", List.of("fp8", "nf4")))) {
            trainer.post(400, "/internal/training/jobs", tenant, Map.of("settings", Map.of("sweep", sweep)));
        }
    }

    @Test
    void what_cannot_be_trained_is_refused_with_what_to_mend() throws Exception {
        String tenant = "refused";
        for (Object body : List.of(
                Map.of("adapter", "../up"),
                Map.of("settings", Map.of("rank", 0)),
                Map.of("settings", Map.of("optimizer", "sgd")),
                Map.of("settings", Map.of("unanswerableShare", 1.5)),
                Map.of("priority", 1000))) {
            JsonNode problem = trainer.post(400, "/internal/training/jobs", tenant, body);
            assertThat(problem.get("type").stringValue()).endsWith("-invalid");
        }
        for (String cron : List.of("* * * *", "0 0 3 * * *", "61 * * * *")) {
            assertThat(trainer.post(400, "/internal/training/schedules", tenant, Map.of("cron", cron))
                            .get("detail")
                            .stringValue())
                    .contains("cron");
        }
        trainer.post(200, "/internal/training/examples", tenant, examples(60, "blue", "blue"));
        JsonNode job =
                finished(tenant, startJob(tenant, Map.of("settings", Map.of("targets", List.of("no_such_layer")))));
        assertThat(job.get("state").stringValue()).isEqualTo("REFUSED");
        assertThat(job.get("message").stringValue()).contains("no_such_layer");
    }

    private static String startJob(String tenant, Map<String, Object> body) throws Exception {
        return trainer.post(202, "/internal/training/jobs", tenant, body)
                .get("id")
                .stringValue();
    }

    /** Lets the time of the schedule come now; returns its job. */
    private static String fire(String tenant) throws Exception {
        JsonNode before = trainer.get("/internal/training/schedules", tenant)
                .get("schedules")
                .get(0)
                .path("lastJob");
        jdbc().update(
                        "UPDATE trainer.schedule_queue SET execution_time = now() WHERE task_instance = ?",
                        tenant + "/nightly");
        await().atMost(LONG).until(() -> {
            JsonNode now = trainer.get("/internal/training/schedules", tenant)
                    .get("schedules")
                    .get(0)
                    .path("lastJob");
            return now.isString() && !now.equals(before);
        });
        return trainer.get("/internal/training/schedules", tenant)
                .get("schedules")
                .get(0)
                .get("lastJob")
                .stringValue();
    }

    private static JsonNode job(String tenant, String id) throws Exception {
        return trainer.get("/internal/training/jobs/" + id, tenant);
    }

    private static JsonNode finished(String tenant, String id) throws Exception {
        await().atMost(LONG)
                .until(() -> FINISHED.contains(job(tenant, id).get("state").stringValue()));
        return job(tenant, id);
    }

    private static JdbcTemplate jdbc() {
        EmbeddedPostgres postgres = EmbeddedPostgres.shared();
        return new JdbcTemplate(new DriverManagerDataSource(database, postgres.username(), postgres.password()));
    }

    /** Every object has a document of its own. */
    static String examples(int count, String colour, String answer) {
        StringBuilder lines = new StringBuilder();
        for (int i = 0; i < count; i++) {
            lines.append(RunningTrainer.JSON.writeValueAsString(Map.of(
                            "id",
                            "lamp-" + i,
                            "question",
                            "Which colour has lamp " + i + "?",
                            "contexts",
                            List.of(Map.of("text", "Lamp " + i + " is " + colour + ".", "documentId", "lamp-" + i)),
                            "answer",
                            answer)))
                    .append('\n');
        }
        return lines.toString();
    }
}
