package dev.tsumugi.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tsumugi.contracts.DocumentState;
import dev.tsumugi.contracts.Topics;
import dev.tsumugi.contracts.api.InternalHeaders;
import dev.tsumugi.contracts.event.DocumentStatus;
import dev.tsumugi.contracts.event.TrainingExample;
import dev.tsumugi.embedded.EmbeddedKafka;
import dev.tsumugi.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.core.io.ClassPathResource;
import org.springframework.jdbc.core.simple.JdbcClient;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The service against a real broker and a real database. */
class TrainerIT {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final String TOKEN = "a-token-for-tests-only";
    private static final Duration LONG = Duration.ofSeconds(60);

    @TempDir
    private static Path store;

    private static final HttpClient HTTP = HttpClient.newHttpClient();
    private static ConfigurableApplicationContext service;
    private static String url;

    @BeforeAll
    static void start() {
        EmbeddedPostgres postgres = EmbeddedPostgres.shared();
        service = TrainerApplication.start(Map.of(
                "server.port",
                "0",
                "spring.datasource.url",
                postgres.createDatabase("trainer_it"),
                "spring.datasource.username",
                postgres.username(),
                "spring.datasource.password",
                postgres.password(),
                "spring.kafka.bootstrap-servers",
                EmbeddedKafka.shared().bootstrapServers(),
                "tsumugi.internal-token",
                TOKEN,
                "tsumugi.trainer.adapters.store",
                store));
        url = "http://localhost:" + service.getEnvironment().getProperty("local.server.port");
    }

    @AfterAll
    static void stop() {
        service.close();
    }

    @Test
    void examples_are_stored_once_and_listed_page_by_page_for_their_tenant_only() throws Exception {
        String lines = """
                {"id": "1", "question": "Who founded it?", "context": "Rollo founded it.", "answer": "Rollo"}
                {"id": "2", "question": "How deep is it?", "answerable": false}
                """;
        JsonNode first = json(200, call("POST", "/internal/training/examples", "paging", lines));
        assertThat(first.get("changed").intValue()).isEqualTo(2);
        JsonNode again = json(200, call("POST", "/internal/training/examples", "paging", lines));
        assertThat(again.get("received").intValue()).isEqualTo(2);
        assertThat(again.get("changed").intValue()).isZero();
        assertThat(again.get("total").intValue()).isEqualTo(2);

        JsonNode page = json(200, call("GET", "/internal/training/examples?limit=1", "paging", null));
        assertThat(page.get("examples")).hasSize(1);
        assertThat(page.get("next").stringValue()).isEqualTo("1");
        JsonNode rest = json(200, call("GET", "/internal/training/examples?after=1", "paging", null));
        assertThat(rest.get("examples").get(0).get("answerable").booleanValue()).isFalse();
        assertThat(json(200, call("GET", "/internal/training/examples", "another", null))
                        .get("total")
                        .intValue())
                .isZero();

        assertThat(call("DELETE", "/internal/training/examples/1", "paging", null)
                        .statusCode())
                .isEqualTo(204);
        assertThat(call("DELETE", "/internal/training/examples/1", "paging", null)
                        .statusCode())
                .isEqualTo(404);
    }

    @Test
    void one_bad_line_stores_nothing_and_is_named() throws Exception {
        JsonNode problem = json(400, call("POST", "/internal/training/examples", "strict", """
                        {"question": "Who?", "answer": "Rollo"}
                        {"question": "Who?"}
                        """));
        assertThat(problem.get("type").stringValue()).isEqualTo("urn:tsumugi:problem:examples-invalid");
        assertThat(problem.get("errors").get(0).stringValue()).startsWith("line 2: the answer is missing");
        assertThat(json(200, call("GET", "/internal/training/examples", "strict", null))
                        .get("total")
                        .intValue())
                .isZero();
    }

    @Test
    void examples_over_kafka_are_stored_replaced_and_deleted_and_bad_ones_are_dead_lettered() throws Exception {
        try (KafkaProducer<String, byte[]> producer =
                new KafkaProducer<>(kafka(), new StringSerializer(), new ByteArraySerializer())) {
            for (String answer : List.of("blue", "red", "red")) {
                producer.send(example("topic/colour", answer));
            }
            producer.send(example("topic/gone", "x"));
            producer.send(new ProducerRecord<>(Topics.TRAINING_EXAMPLES, "topic/gone", null));
            producer.send(new ProducerRecord<>(Topics.TRAINING_EXAMPLES, "topic/bad", "{junk".getBytes()));
            producer.send(example("topic/empty", ""));
            producer.flush();
        }
        await().atMost(LONG).untilAsserted(() -> {
            JsonNode page = json(200, call("GET", "/internal/training/examples", "topic", null));
            assertThat(page.get("total").intValue()).isEqualTo(1);
            assertThat(page.get("examples").get(0).get("answer").stringValue()).isEqualTo("red");
        });
        try (KafkaConsumer<String, byte[]> dead =
                new KafkaConsumer<>(kafka(), new StringDeserializer(), new ByteArrayDeserializer())) {
            dead.subscribe(List.of(Topics.TRAINING_EXAMPLES + Topics.DEAD_LETTER_SUFFIX));
            List<String> keys = new java.util.ArrayList<>();
            await().atMost(LONG).until(() -> {
                dead.poll(Duration.ofMillis(200)).forEach(record -> keys.add(record.key()));
                return keys.size() >= 2;
            });
            assertThat(keys).containsExactlyInAnyOrder("topic/bad", "topic/empty");
        }
    }

    @Test
    void feedback_is_kept_for_review() throws Exception {
        String body = """
                {"question": "Who?", "answer": "Nobody [1]", "rating": "down", "correctedAnswer": "Rollo",
                 "citations": [{"marker": 1, "documentId": "d", "chunkId": "d#0", "title": "T", "quote": "q", "start": 0, "end": 1}],
                 "provenance": {"model": "m", "indexGeneration": "g", "promptVersion": "p"}}
                """;
        JsonNode stored = json(201, call("POST", "/internal/feedback", "feedback", body));
        JsonNode listed =
                json(200, call("GET", "/internal/feedback", "feedback", null)).get("feedback");
        assertThat(listed).hasSize(1);
        assertThat(listed.get(0).get("id")).isEqualTo(stored.get("id"));
        assertThat(listed.get(0).get("correctedAnswer").stringValue()).isEqualTo("Rollo");
        JsonNode problem = json(
                400,
                call(
                        "POST",
                        "/internal/feedback",
                        "feedback",
                        "{\"question\": \"Who?\", \"answer\": \"x\", \"rating\": \"meh\"}"));
        assertThat(problem.get("detail").stringValue()).contains("rating");
    }

    @Test
    void feedback_becomes_an_example_once_a_person_approves_it() throws Exception {
        JsonNode down = json(201, call("POST", "/internal/feedback", "review", """
                        {"question": "Whom do I mail?", "answer": "Nobody [1]", "rating": "down",
                         "correctedAnswer": "Mail boss@example.com",
                         "citations": [{"marker": 1, "documentId": "d", "chunkId": "d#0", "title": "T", "quote": "q", "start": 0, "end": 1}]}
                        """));
        JsonNode bare = json(
                201,
                call(
                        "POST",
                        "/internal/feedback",
                        "review",
                        "{\"question\": \"Why?\", \"answer\": \"x\", \"rating\": \"down\"}"));
        String approve = "/internal/feedback/" + down.get("id").stringValue() + "/approve";
        assertThat(examples("review")).isEmpty();
        assertThat(call("POST", approve, "another", null).statusCode()).isEqualTo(404);
        json(200, call("POST", approve, "review", null));
        JsonNode example = examples("review").get(0);
        assertThat(example.get("answer").stringValue()).isEqualTo("Mail [email]");
        assertThat(example.get("cited").get(0).stringValue()).isEqualTo("d");

        String other = "/internal/feedback/" + bare.get("id").stringValue();
        assertThat(json(400, call("POST", other + "/approve", "review", null))
                        .get("detail")
                        .stringValue())
                .contains("corrected answer");
        json(200, call("POST", other + "/approve", "review", "{\"answerable\": false}"));
        assertThat(examples("review")).hasSize(2);
        assertThat(call("POST", other + "/reject", "review", null).statusCode()).isEqualTo(204);
        assertThat(examples("review")).hasSize(1);
        JsonNode open = json(200, call("GET", "/internal/feedback?review=rejected", "review", null));
        assertThat(open.get("feedback")).hasSize(1);
    }

    @Test
    void a_deleted_document_leaves_examples_sets_and_yardstick() throws Exception {
        StringBuilder lines = new StringBuilder();
        for (int i = 0; i < 60; i++) {
            lines.append(JSON.writeValueAsString(Map.of(
                            "id",
                            "e" + i,
                            "question",
                            "How long is river " + i + "?",
                            "contexts",
                            List.of(Map.of("text", "River " + i + " has " + i + " bends.", "documentId", "doc/" + i)),
                            "answer",
                            i + " bends")))
                    .append('\n');
        }
        json(200, call("POST", "/internal/training/examples", "withdraw", lines.toString()));
        JsonNode set = json(201, call("POST", "/internal/training/sets", "withdraw", "{\"unanswerableShare\": 0}"));
        String path = "/internal/training/sets/" + set.get("id").stringValue();
        assertThat(json(201, call("POST", "/internal/training/sets", "withdraw", "{\"unanswerableShare\": 0}"))
                        .get("id"))
                .isEqualTo(set.get("id"));
        JsonNode held = json(200, call("GET", path + "/examples?split=held-out", "withdraw", null))
                .get("examples");
        assertThat(held).isNotEmpty();
        String document = held.get(0).get("example").get("documents").get(0).stringValue();

        deleted("withdraw", document);
        await().atMost(LONG).untilAsserted(() -> {
            JsonNode after = json(200, call("GET", path, "withdraw", null));
            assertThat(after.get("withdrawn").intValue()).isEqualTo(1);
        });
        assertThat(json(200, call("GET", path + "/examples?limit=1000", "withdraw", null))
                        .get("examples"))
                .hasSize(59);
        JsonNode next = json(201, call("POST", "/internal/training/sets", "withdraw", "{\"unanswerableShare\": 0}"));
        assertThat(next.get("id")).isNotEqualTo(set.get("id"));
        assertThat(next.get("counts").get("heldOut").intValue()).isEqualTo(held.size() - 1);
        JsonNode gone = json(200, call("GET", "/internal/training/withdrawals", "withdraw", null))
                .get("documents");
        assertThat(gone.get(0).get("documentId").stringValue()).isEqualTo(document);
        assertThat(gone.get(0).get("examples").intValue()).isEqualTo(1);
        assertThat(call("GET", path, "another", null).statusCode()).isEqualTo(404);
        assertThat(call("DELETE", path, "withdraw", null).statusCode()).isEqualTo(204);
        assertThat(call("GET", path, "withdraw", null).statusCode()).isEqualTo(404);
    }

    @Test
    void a_question_that_was_generated_from_a_deleted_document_goes_with_it_whatever_passages_it_has()
            throws Exception {
        StringBuilder lines = new StringBuilder();
        for (int i = 0; i < 80; i++) {
            lines.append(JSON.writeValueAsString(Map.of(
                            "id",
                            "e" + i,
                            "question",
                            "How many bends has the river " + i + "?",
                            "contexts",
                            List.of(Map.of(
                                    "text",
                                    "The river " + i + " has " + (i + 1000) + " bends.",
                                    "documentId",
                                    "doc/" + i)),
                            "answer",
                            Integer.toString(i + 1000))))
                    .append('\n');
        }
        json(200, call("POST", "/internal/training/examples", "origins", lines.toString()));
        JsonNode set = json(201, call("POST", "/internal/training/sets", "origins", "{\"unanswerableShare\": 0.3}"));
        String path = "/internal/training/sets/" + set.get("id").stringValue();
        // As contents were before origins were kept.
        JdbcClient jdbc = service.getBean(JdbcClient.class);
        jdbc.sql("UPDATE example_contents SET content = content - 'origins' WHERE tenant = 'origins'")
                .update();
        assertThat(generated(path, "train"))
                .allMatch(member -> member.get("example").get("origins").isEmpty());
        jdbc.sql(new ClassPathResource("db/migration/trainer/V7__origins_in_contents.sql")
                        .getContentAsString(StandardCharsets.UTF_8))
                .update();
        for (String split : List.of("train", "held-out")) {
            JsonNode generated = generated(path, split).getFirst().get("example");
            String document = generated.get("origins").get(0).stringValue();
            assertThat(generated.get("documents").valueStream().map(JsonNode::stringValue))
                    .isNotEmpty()
                    .doesNotContain(document);

            deleted("origins", document);
            String id = generated.get("id").stringValue();
            await().atMost(LONG)
                    .untilAsserted(() -> assertThat(generated(path, split))
                            .noneMatch(member -> member.get("example")
                                    .get("id")
                                    .stringValue()
                                    .equals(id)));
        }
        JsonNode next = json(201, call("POST", "/internal/training/sets", "origins", "{\"unanswerableShare\": 0.3}"));
        assertThat(generated("/internal/training/sets/" + next.get("id").stringValue(), "held-out"))
                .as("nor does it come back with what is held out")
                .isNotEmpty()
                .allMatch(member -> member.get("example").get("origins").size() == 1);
        assertThat(json(200, call("GET", "/internal/training/withdrawals", "origins", null))
                        .get("documents"))
                .hasSize(2);
        deleted("origins", "doc/unknown");
        deleted("origins", "doc/0");
        await().atMost(LONG)
                .untilAsserted(() -> assertThat(
                                json(200, call("GET", "/internal/training/withdrawals", "origins", null))
                                        .get("documents"))
                        .as("a document that nothing was learned from is not listed")
                        .hasSize(3));
        assertThat(jdbc.sql("SELECT count(*) FROM withdrawn_documents WHERE document_id = 'doc/unknown'")
                        .query(Long.class)
                        .single())
                .as("nor kept")
                .isZero();
    }

    private static List<JsonNode> generated(String set, String split) throws Exception {
        return json(200, call("GET", set + "/examples?limit=1000&split=" + split, "origins", null))
                .get("examples")
                .valueStream()
                .filter(member -> member.get("source").stringValue().equals("generated"))
                .toList();
    }

    private static void deleted(String tenant, String document) {
        try (KafkaProducer<String, byte[]> producer =
                new KafkaProducer<>(kafka(), new StringSerializer(), new ByteArraySerializer())) {
            DocumentStatus status = new DocumentStatus(
                    DocumentStatus.SCHEMA_VERSION, tenant, document, 2, DocumentState.DELETED, 0, null, Instant.now());
            producer.send(new ProducerRecord<>(
                    Topics.DOCUMENT_STATUS, tenant + "/" + document, JSON.writeValueAsBytes(status)));
        }
    }

    private static JsonNode examples(String tenant) throws Exception {
        return json(200, call("GET", "/internal/training/examples", tenant, null))
                .get("examples");
    }

    @Test
    void a_call_without_the_internal_token_is_refused_and_the_service_is_healthy() throws Exception {
        HttpRequest bare =
                HttpRequest.newBuilder(URI.create(url + "/internal/adapters")).build();
        assertThat(HTTP.send(bare, HttpResponse.BodyHandlers.ofString()).statusCode())
                .isEqualTo(401);
        assertThat(call("GET", "/actuator/health/readiness", "any", null).statusCode())
                .isEqualTo(200);
    }

    private static ProducerRecord<String, byte[]> example(String key, String answer) {
        TrainingExample event =
                new TrainingExample(TrainingExample.SCHEMA_VERSION, "Which colour?", null, null, null, answer, true);
        return new ProducerRecord<>(Topics.TRAINING_EXAMPLES, key, JSON.writeValueAsBytes(event));
    }

    private static Properties kafka() {
        Properties properties = new Properties();
        properties.setProperty("bootstrap.servers", EmbeddedKafka.shared().bootstrapServers());
        properties.setProperty("group.id", "trainer-it");
        properties.setProperty("auto.offset.reset", "earliest");
        return properties;
    }

    private static JsonNode json(int status, HttpResponse<String> response) {
        assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
        return JSON.readTree(response.body());
    }

    private static HttpResponse<String> call(String method, String path, String tenant, String body)
            throws IOException, InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url + path))
                .header(InternalHeaders.TOKEN, TOKEN)
                .header(InternalHeaders.TENANT, tenant)
                .header("Content-Type", "application/json")
                .method(
                        method,
                        body == null ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(body));
        return HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }
}
