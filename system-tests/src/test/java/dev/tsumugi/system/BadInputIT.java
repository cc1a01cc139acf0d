package dev.tsumugi.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tsumugi.contracts.Topics;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** Whatever comes in, the one who sent it learns why it was refused, and the next one is served. */
class BadInputIT {
    private static final Duration LIMIT = Duration.ofMinutes(2);

    private static RunningPlatform platform;

    @BeforeAll
    static void startPlatform() {
        platform = SharedPlatform.get();
    }

    @Test
    void a_truncated_pdf_fails_with_a_reason() {
        String pdf = "%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pa";
        assertThat(failureOf("broken.pdf", "application/pdf", pdf.getBytes(StandardCharsets.US_ASCII)))
                .containsIgnoringCase("pdf");
        nextOneIsServed();
    }

    @Test
    void a_zip_bomb_is_refused_before_it_unfolds() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
            zip.putNextEntry(new ZipEntry("[Content_Types].xml"));
            zip.write("""
                    <?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
                    <Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
                    <Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/>
                    </Types>""".getBytes(StandardCharsets.UTF_8));
            zip.putNextEntry(new ZipEntry("_rels/.rels"));
            zip.write("""
                    <?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
                    <Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/>
                    </Relationships>""".getBytes(StandardCharsets.UTF_8));
            zip.putNextEntry(new ZipEntry("word/document.xml"));
            zip.write(
                    "<?xml version=\"1.0\"?><w:document xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\"><w:body><w:p><w:r><w:t>"
                            .getBytes(StandardCharsets.UTF_8));
            byte[] block = new byte[1 << 20];
            java.util.Arrays.fill(block, (byte) 'a');
            for (int i = 0; i < 400; i++) {
                zip.write(block);
            }
            zip.write("</w:t></w:r></w:p></w:body></w:document>".getBytes(StandardCharsets.UTF_8));
        }
        assertThat(bytes.size()).isLessThan(1 << 20);
        assertThat(failureOf("bomb.docx", null, bytes.toByteArray())).isNotBlank();
        nextOneIsServed();
    }

    @Test
    void a_file_of_200_megabytes_is_refused_with_413() {
        HttpResponse<String> response = platform.send(platform.request("/api/v1/documents/huge.txt")
                .PUT(HttpRequest.BodyPublishers.ofByteArrays(
                        java.util.Collections.nCopies(200, "a".repeat(1 << 20).getBytes(StandardCharsets.US_ASCII)))));
        assertThat(response.statusCode()).as(response.body()).isEqualTo(413);
        assertThat(RunningPlatform.json(response).get("type").stringValue()).startsWith("urn:tsumugi:problem:");
        assertThat(RunningPlatform.json(response).get("detail").stringValue()).contains("100");
        nextOneIsServed();
    }

    @Test
    void a_wrong_content_type_does_no_harm() {
        put("letter.txt", "application/pdf", "The cat sleeps on the warm roof.".getBytes(StandardCharsets.UTF_8));
        awaitState("letter.txt", "INDEXED");
    }

    @Test
    void an_empty_file_is_refused_or_fails_with_a_reason() {
        HttpResponse<String> response = put("empty.txt", "text/plain", new byte[0]);
        if (response.statusCode() == 202) {
            assertThat(awaitState("empty.txt", "FAILED").get("error").stringValue())
                    .isNotBlank();
        } else {
            assertThat(response.statusCode()).isEqualTo(400);
            assertThat(RunningPlatform.json(response).get("detail").stringValue())
                    .containsIgnoringCase("empty");
        }
        nextOneIsServed();
    }

    @Test
    void binary_junk_is_refused_with_what_to_send_instead() {
        byte[] junk = new byte[50_000];
        new Random(3).nextBytes(junk);
        HttpResponse<String> response = put("junk.bin", null, junk);
        assertProblem(response, 415);
        assertThat(response.body()).contains("PDF");
        nextOneIsServed();
    }

    @Test
    void malformed_records_become_dead_letters_with_their_reason_and_the_next_is_served() throws Exception {
        sendRecord("default/not-json", "{\"schemaVersion\": 1, \"text\": ");
        sendRecord("default/future", "{\"schemaVersion\": 99, \"text\": \"hello\"}");
        sendRecord("no-slash", "{\"schemaVersion\": 1, \"text\": \"hello\"}");
        sendRecord("default/nothing", "{\"schemaVersion\": 1}");
        sendRecord(
                "default/fine-record", "{\"schemaVersion\": 1, \"text\": \"The lantern hangs beside the old gate.\"}");
        awaitState("fine-record", "INDEXED");
        Map<String, String> reasons = deadLetters(4);
        assertThat(reasons.get("default/not-json")).contains("DocumentIngest");
        assertThat(reasons.get("default/future")).contains("unknown schemaVersion 99");
        assertThat(reasons.get("no-slash")).contains("tenant/documentId");
        assertThat(reasons.get("default/nothing")).contains("text");
    }

    @Test
    void a_prompt_longer_than_the_context_is_refused_and_the_next_is_answered() {
        String words = "word ".repeat(20_000);
        HttpResponse<String> response = platform.post(
                "/v1/chat/completions",
                RunningPlatform.JSON.writeValueAsString(
                        Map.of("model", model(), "messages", List.of(Map.of("role", "user", "content", words)))));
        assertThat(response.statusCode()).as(response.body()).isEqualTo(400);
        assertThat(response.body()).contains("context_length_exceeded");
        HttpResponse<String> next = platform.post(
                "/v1/chat/completions",
                RunningPlatform.JSON.writeValueAsString(Map.of(
                        "model",
                        model(),
                        "max_tokens",
                        8,
                        "messages",
                        List.of(Map.of("role", "user", "content", "Say hello.")))));
        assertThat(next.statusCode()).as(next.body()).isEqualTo(200);
    }

    @Test
    void malformed_requests_name_what_is_wrong() {
        assertProblem(platform.post("/api/v1/search", "{\"query\": "), 400);
        assertProblem(platform.post("/api/v1/search", "{\"query\": \"\"}"), 400);
        assertProblem(platform.post("/api/v1/search", "{\"query\": \"x\", \"limit\": 100000}"), 400);
        assertProblem(platform.post("/api/v1/ask", "{}"), 400);
        assertProblem(platform.get("/api/v1/documents/no-such-document"), 404);
        assertProblem(platform.get("/api/v1/nothing-here"), 404);
        assertProblem(platform.send(platform.request("/api/v1/search").DELETE()), 405);
    }

    private static void assertProblem(HttpResponse<String> response, int status) {
        assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
        assertThat(response.headers().firstValue("Content-Type").orElse("")).startsWith("application/problem+json");
        JsonNode problem = RunningPlatform.json(response);
        assertThat(problem.get("type").stringValue()).startsWith("urn:tsumugi:problem:");
        assertThat(problem.get("detail").stringValue()).isNotBlank();
    }

    private static String model() {
        return RunningPlatform.json(platform.get("/v1/models"))
                .get("data")
                .get(0)
                .get("id")
                .stringValue();
    }

    private static String failureOf(String id, @Nullable String contentType, byte[] content) {
        HttpResponse<String> response = put(id, contentType, content);
        assertThat(response.statusCode()).as(response.body()).isEqualTo(202);
        return awaitState(id, "FAILED").get("error").stringValue();
    }

    private static HttpResponse<String> put(String id, @Nullable String contentType, byte[] content) {
        HttpRequest.Builder request =
                platform.request("/api/v1/documents/" + id).PUT(HttpRequest.BodyPublishers.ofByteArray(content));
        if (contentType != null) {
            request.header("Content-Type", contentType);
        }
        return platform.send(request);
    }

    private static JsonNode awaitState(String id, String state) {
        return await("document " + id + " is " + state)
                .atMost(LIMIT)
                .until(
                        () -> {
                            HttpResponse<String> response = platform.get("/api/v1/documents/" + id);
                            return response.statusCode() == 200 ? RunningPlatform.json(response) : null;
                        },
                        document -> document != null
                                && document.get("state").stringValue().equals(state));
    }

    private static void nextOneIsServed() {
        String id = "fine-" + System.nanoTime();
        put(id, "text/plain", "The heron stands in the shallow water.".getBytes(StandardCharsets.UTF_8));
        awaitState(id, "INDEXED");
    }

    private static void sendRecord(String key, String value) throws Exception {
        Map<String, Object> settings = Map.of("bootstrap.servers", "127.0.0.1:" + platform.kafkaPort());
        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new ByteArraySerializer())) {
            producer.send(new ProducerRecord<>(Topics.DOCUMENT_INGEST, key, value.getBytes(StandardCharsets.UTF_8)))
                    .get();
        }
    }

    private static Map<String, String> deadLetters(int count) {
        Map<String, Object> settings =
                Map.of("bootstrap.servers", "127.0.0.1:" + platform.kafkaPort(), "auto.offset.reset", "earliest");
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new ByteArrayDeserializer())) {
            consumer.assign(List.of(new TopicPartition(Topics.DOCUMENT_INGEST + Topics.DEAD_LETTER_SUFFIX, 0)));
            List<ConsumerRecord<String, byte[]>> letters = new ArrayList<>();
            Map<String, String> reasons = new java.util.HashMap<>();
            await().atMost(LIMIT).until(() -> {
                consumer.poll(Duration.ofMillis(200)).forEach(letters::add);
                letters.forEach(letter -> reasons.put(
                        letter.key(),
                        new String(letter.headers().lastHeader("tsumugi-reason").value(), StandardCharsets.UTF_8)));
                return reasons.keySet()
                        .containsAll(List.of("default/not-json", "default/future", "no-slash", "default/nothing"));
            });
            assertThat(letters).hasSizeGreaterThanOrEqualTo(count);
            return reasons;
        }
    }
}
