package dev.tsumugi.system;

import static dev.tsumugi.system.RunningPlatform.json;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** The whole loop, with a model of two layers that knows nothing: what people approve is learned on schedule, and what would harm is not. */
class TrainingFlowIT {
    private static final int LAMPS = 100;
    private static final Duration LONG = Duration.ofMinutes(8);
    private static final Set<String> FINISHED =
            Set.of("PROMOTED", "REJECTED", "UNCHANGED", "REFUSED", "FAILED", "CANCELLED");
    private static final String SETTINGS = """
            {"rank": 8, "learningRate": 0.01, "warmUpSteps": 2, "epochs": 8, "microBatchTokens": 512, "gradientAccumulation": 2,
             "unanswerableShare": 0}""";

    @Test
    void what_people_approve_is_learned_on_schedule_and_poisoned_feedback_is_refused() throws Exception {
        try (RunningPlatform platform = RunningPlatform.start(
                List.of(),
                Map.of(
                        "TSUMUGI_MODEL",
                        RunningPlatform.tinyModel(),
                        "TSUMUGI_TRAINER_POLLING",
                        "200ms",
                        "TSUMUGI_TRAINER_GATE_MINQUESTIONS",
                        "8",
                        // What such a model says of anything else means nothing, before and after.
                        "TSUMUGI_TRAINER_GATE_REPLAYMARGIN",
                        "10"))) {
            ingestLamps(platform);
            // Most of what is known comes from a file, the rest from readers.
            StringBuilder examples = new StringBuilder();
            for (int i = 0; i < LAMPS - 20; i++) {
                examples.append(
                        "{\"id\": \"lamp-%d\", \"question\": \"%s\", \"answer\": \"blue\", \"cited\": [\"lamp-%d\"]}%n"
                                .formatted(i, question(i), i));
            }
            assertThat(platform.post("/api/v1/training/examples", examples.toString())
                            .statusCode())
                    .isEqualTo(200);
            for (int i = LAMPS - 20; i < LAMPS; i++) {
                approve(platform, i, "blue");
            }
            JsonNode set = json(platform.post("/api/v1/training/sets", "{\"unanswerableShare\": 0}"));
            JsonNode held = json(platform.get(
                            "/api/v1/training/sets/" + set.path("id").asString() + "/examples?split=held-out"))
                    .path("examples");
            String question = held.get(0).path("example").path("question").asString();
            JsonNode before = ask(platform, question);
            assertThat(before.path("answer").asString()).doesNotContain("blue [");

            schedule(platform);
            JsonNode learned = firstFinished(platform, List.of());
            assertThat(learned.path("state").asString()).as(learned.toString()).isEqualTo("PROMOTED");
            String digest = learned.path("candidate").asString();
            await().atMost(LONG).untilAsserted(() -> {
                JsonNode after = ask(platform, question);
                assertThat(after.path("answered").asBoolean())
                        .as(after.toString())
                        .isTrue();
                assertThat(after.path("answer").asString()).contains("blue");
                assertThat(after.path("provenance").path("adapterDigest").asString(""))
                        .isEqualTo(digest);
            });

            // Every word of it stands in the passages, so only the gate can tell that it is wrong.
            platform.send(platform.request("/api/v1/training/schedules/often").DELETE());
            await().atMost(LONG)
                    .until(() -> json(platform.get("/api/v1/training/jobs"))
                                    .path("jobs")
                                    .size()
                            == finishedJobs(platform).size());
            List<String> known = finishedJobs(platform);
            for (int i = 0; i < LAMPS; i++) {
                approve(platform, i, "Lamp.");
            }
            schedule(platform);
            fire(platform);
            JsonNode poisoned = firstFinished(platform, known);
            assertThat(poisoned.path("state").asString())
                    .as(poisoned.toString())
                    .isEqualTo("REJECTED");
            assertThat(poisoned.path("message").asString()).contains("It answers worse");
            assertThat(poisoned.path("champion").asString()).isEqualTo("lamps@" + digest);
            JsonNode still = ask(platform, question);
            assertThat(still.path("answer").asString()).contains("blue");
            assertThat(still.path("provenance").path("adapterDigest").asString())
                    .isEqualTo(digest);
        }
    }

    private static String question(int lamp) {
        return "Which colour has lamp " + lamp + "?";
    }

    /** The next minute is as good as three in the morning. */
    private static void schedule(RunningPlatform platform) {
        HttpResponse<String> scheduled = platform.post(
                "/api/v1/training/schedules",
                "{\"name\": \"often\", \"cron\": \"* * * * *\", \"adapter\": \"lamps\", \"settings\": " + SETTINGS
                        + "}");
        assertThat(scheduled.statusCode()).as(scheduled.body()).isEqualTo(201);
    }

    /** Lets the schedule's time come now: that it comes by itself is seen before. */
    private static void fire(RunningPlatform platform) throws SQLException {
        List<String> fired = new ArrayList<>();
        platform.query(
                "UPDATE trainer.schedule_queue SET execution_time = now() WHERE task_instance LIKE '%/often'"
                        + " RETURNING task_instance",
                row -> fired.add(row.getString(1)));
        assertThat(fired).hasSize(1);
    }

    private static void ingestLamps(RunningPlatform platform) {
        for (int i = 0; i < LAMPS; i++) {
            HttpResponse<String> sent = platform.send(platform.request("/api/v1/documents/lamp-" + i)
                    .header("Content-Type", "text/plain")
                    .PUT(HttpRequest.BodyPublishers.ofString("Lamp " + i + " is blue.")));
            assertThat(sent.statusCode()).as(sent.body()).isEqualTo(202);
        }
        await().atMost(LONG)
                .until(() -> json(platform.get("/api/v1/documents?limit=" + LAMPS))
                        .path("documents")
                        .valueStream()
                        .allMatch(document -> document.path("state").asString().equals("INDEXED")));
    }

    private static void approve(RunningPlatform platform, int lamp, String answer) {
        HttpResponse<String> given = platform.post("/api/v1/feedback", """
                {"question": "%s", "answer": "No.", "rating": "down", "correctedAnswer": "%s",
                 "citations": [{"marker": 1, "documentId": "lamp-%d", "chunkId": "c", "title": "", "quote": "q", "start": 0, "end": 1}]}""".formatted(question(lamp), answer, lamp));
        assertThat(given.statusCode()).as(given.body()).isEqualTo(201);
        HttpResponse<String> approved =
                platform.post("/api/v1/feedback/" + json(given).path("id").asString() + "/approve", "{}");
        assertThat(approved.statusCode()).as(approved.body()).isEqualTo(200);
    }

    private static JsonNode ask(RunningPlatform platform, String question) {
        return json(platform.post("/api/v1/ask", "{\"question\": \"" + question + "\"}"));
    }

    private static List<String> finishedJobs(RunningPlatform platform) {
        List<String> finished = new ArrayList<>();
        json(platform.get("/api/v1/training/jobs")).path("jobs").forEach(job -> {
            if (FINISHED.contains(job.path("state").asString())) {
                finished.add(job.path("id").asString());
            }
        });
        return finished;
    }

    private static JsonNode firstFinished(RunningPlatform platform, List<String> known) {
        await().atMost(LONG)
                .pollInterval(Duration.ofSeconds(1))
                .until(() -> !known.containsAll(finishedJobs(platform)));
        List<String> fresh = new ArrayList<>(finishedJobs(platform));
        fresh.removeAll(known);
        return json(platform.get("/api/v1/training/jobs/" + fresh.getLast()));
    }
}
