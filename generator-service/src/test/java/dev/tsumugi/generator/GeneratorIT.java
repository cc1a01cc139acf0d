package dev.tsumugi.generator;

import static dev.tsumugi.generator.RunningGenerator.JSON;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.sun.net.httpserver.HttpServer;
import dev.tsumugi.contracts.Topics;
import dev.tsumugi.contracts.api.AnswerRequest;
import dev.tsumugi.contracts.api.InternalHeaders;
import dev.tsumugi.contracts.api.SearchResponse;
import dev.tsumugi.contracts.event.GenerationRequest;
import dev.tsumugi.embedded.EmbeddedKafka;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CopyOnWriteArrayList;
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
import tools.jackson.databind.JsonNode;

/** The protocols, with a model whose words are noise but whose tokens are real. */
class GeneratorIT {
    private static final Duration LONG = Duration.ofSeconds(60);
    private static final List<String> searchCallers = new CopyOnWriteArrayList<>();

    private static HttpServer retriever;
    private static RunningGenerator generator;

    @BeforeAll
    static void start() throws Exception {
        retriever = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        retriever.createContext("/internal/search", exchange -> {
            searchCallers.add(exchange.getRequestHeaders().getFirst(InternalHeaders.TENANT) + " "
                    + exchange.getRequestHeaders().getFirst(InternalHeaders.PRINCIPALS));
            byte[] body = JSON.writeValueAsBytes(new SearchResponse(
                    List.of(Passages.passage("rivers", "The Kiso is 229 kilometres long.")), "g1", null));
            exchange.getResponseHeaders().set("Content-Type", "application/json");
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        retriever.start();
        generator = new RunningGenerator(Map.of(
                "tsumugi.generator.model",
                Path.of("src/test/resources/tiny-llama").toAbsolutePath(),
                "tsumugi.generator.max-running",
                "2",
                "tsumugi.generator.max-queued",
                "0",
                "tsumugi.generator.bulk.retriever-url",
                "http://localhost:" + retriever.getAddress().getPort()));
    }

    @AfterAll
    static void stop() {
        generator.close();
        retriever.stop(0);
    }

    @Test
    void a_chat_completion_has_the_shape_that_openai_clients_read() throws Exception {
        JsonNode body = generator.json(200, generator.post("/internal/chat/completions", """
                {"model": "tiny-llama", "messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}]}],
                 "max_tokens": 5, "seed": 7, "logprobs": true, "top_logprobs": 2}
                """));
        assertThat(body.get("object").stringValue()).isEqualTo("chat.completion");
        assertThat(body.get("id").stringValue()).startsWith("chatcmpl-");
        JsonNode choice = body.get("choices").get(0);
        assertThat(choice.get("message").get("role").stringValue()).isEqualTo("assistant");
        assertThat(choice.get("finish_reason").stringValue()).isIn("length", "stop");
        int generated = body.get("usage").get("completion_tokens").intValue();
        assertThat(generated).isBetween(1, 5);
        assertThat(body.get("usage").get("total_tokens").intValue())
                .isEqualTo(body.get("usage").get("prompt_tokens").intValue() + generated);
        JsonNode logprobs = choice.get("logprobs").get("content");
        assertThat(logprobs).hasSize(generated);
        assertThat(logprobs.get(0).get("top_logprobs")).hasSize(2);
        assertThat(logprobs.get(0).get("logprob").doubleValue()).isNegative();
    }

    @Test
    void the_same_seed_gives_the_same_answer_and_choices_differ() throws Exception {
        String request = """
                {"model": "tiny-llama", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 12, "seed": 7, "n": 2}
                """;
        JsonNode first = generator
                .json(200, generator.post("/internal/chat/completions", request))
                .get("choices");
        await().atMost(LONG).untilAsserted(() -> {
            JsonNode second = generator
                    .json(200, generator.post("/internal/chat/completions", request))
                    .get("choices");
            assertThat(second).isEqualTo(first);
        });
        assertThat(first).hasSize(2);
        assertThat(first.get(0).get("message")).isNotEqualTo(first.get(1).get("message"));
    }

    @Test
    void a_stream_says_the_same_as_the_whole_and_ends_with_usage_and_done() throws Exception {
        String request = """
                {"model": "tiny-llama", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 12, "temperature": 0%s}
                """;
        String whole = generator
                .json(200, generator.post("/internal/chat/completions", request.formatted("")))
                .at("/choices/0/message/content")
                .stringValue();
        List<RunningGenerator.Event> events = generator.events(generator.post(
                "/internal/chat/completions",
                request.formatted(", \"stream\": true, \"stream_options\": {\"include_usage\": true}")));
        assertThat(events.getLast().data()).isEqualTo("[DONE]");
        assertThat(events.getFirst().json().at("/choices/0/delta/role").stringValue())
                .isEqualTo("assistant");
        StringBuilder text = new StringBuilder();
        List<String> reasons = new ArrayList<>();
        for (RunningGenerator.Event event : events.subList(0, events.size() - 2)) {
            text.append(event.json().at("/choices/0/delta/content").asString(""));
            if (event.json().at("/choices/0/finish_reason").isString()) {
                reasons.add(event.json().at("/choices/0/finish_reason").stringValue());
            }
        }
        assertThat(text.toString()).isEqualTo(whole);
        assertThat(reasons).hasSize(1);
        JsonNode usage = events.get(events.size() - 2).json();
        assertThat(usage.get("choices")).isEmpty();
        assertThat(events.getFirst().json().has("usage")).isTrue();
        assertThat(events.getFirst().json().get("usage").isNull()).isTrue();
        assertThat(usage.at("/usage/completion_tokens").intValue()).isPositive();
    }

    @Test
    void a_text_completion_takes_strings_and_token_ids() throws Exception {
        JsonNode both = generator.json(200, generator.post("/internal/completions", """
                {"model": "tiny-llama", "prompt": ["hello", "world"], "max_tokens": 4, "temperature": 0, "logprobs": 1}"""));
        assertThat(both.get("object").stringValue()).isEqualTo("text_completion");
        assertThat(both.get("choices")).hasSize(2);
        assertThat(both.at("/choices/1/logprobs/tokens")).isNotEmpty();
        assertThat(generator
                        .json(200, generator.post("/internal/completions", """
                        {"model": "tiny-llama", "prompt": [5, 6, 7], "max_tokens": 4}"""))
                        .at("/usage/prompt_tokens")
                        .intValue())
                .isEqualTo(3);
    }

    @Test
    void an_answer_has_the_form_that_the_request_asks_for_also_in_a_stream() throws Exception {
        String request = """
                {"messages": [{"role": "user", "content": "hello"}], "n": 2, "max_completion_tokens": 100, "seed": 3%s,
                 "response_format": {"type": "json_schema", "json_schema": {"name": "paint", "strict": true, "schema": {
                   "type": "object", "additionalProperties": false, "required": ["color", "coats", "dry"],
                   "properties": {"color": {"enum": ["red", "緑"]}, "coats": {"type": "integer", "minimum": 1, "maximum": 12},
                                  "dry": {"type": "boolean"}}}}}}
                """;
        JsonNode choices = generator
                .json(200, generator.post("/internal/chat/completions", request.formatted("")))
                .get("choices");
        assertThat(choices).hasSize(2);
        for (JsonNode choice : choices) {
            JsonNode paint = JSON.readTree(choice.at("/message/content").stringValue());
            assertThat(paint.get("color").stringValue()).isIn("red", "緑");
            assertThat(paint.get("coats").intValue()).isBetween(1, 12);
            assertThat(paint.get("dry").isBoolean()).isTrue();
            assertThat(choice.get("finish_reason").stringValue()).isEqualTo("stop");
        }
        StringBuilder streamed = new StringBuilder();
        for (RunningGenerator.Event event : generator.events(
                generator.post("/internal/chat/completions", request.formatted(", \"stream\": true")))) {
            if (event.data().startsWith("{")
                    && event.json().at("/choices/0/index").intValue() == 0) {
                streamed.append(event.json().at("/choices/0/delta/content").asString(""));
            }
        }
        assertThat(JSON.readTree(streamed.toString()).propertyNames()).containsExactly("color", "coats", "dry");
    }

    @Test
    void an_object_that_the_most_tokens_cut_ends_for_its_length_and_a_regular_expression_holds_for_texts()
            throws Exception {
        JsonNode cut = generator.json(200, generator.post("/internal/chat/completions", """
                {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 1,
                 "response_format": {"type": "json_object"}}"""));
        assertThat(cut.at("/choices/0/message/content").stringValue()).startsWith("{");
        assertThat(cut.at("/choices/0/finish_reason").stringValue()).isEqualTo("length");
        JsonNode guided = generator.json(200, generator.post("/internal/completions", """
                {"prompt": "hello", "max_tokens": 20, "guided_regex": "[0-9]{4}-[0-9]{2}", "echo": true, "n": 2}"""));
        assertThat(guided.get("choices"))
                .hasSize(2)
                .allSatisfy(
                        choice -> assertThat(choice.get("text").stringValue()).matches("hello[0-9]{4}-[0-9]{2}"));
    }

    @Test
    void biases_stop_strings_and_logprobs_do_what_they_say() throws Exception {
        String biased = """
                {"prompt": "hello", "max_tokens": 6, "temperature": 0, "logit_bias": {"%d": 100}, "logprobs": 1%s}""";
        JsonNode free = generator.json(200, generator.post("/internal/completions", biased.formatted(300, "")));
        List<String> tokens = new ArrayList<>();
        free.at("/choices/0/logprobs/tokens").forEach(token -> tokens.add(token.stringValue()));
        assertThat(tokens).hasSize(6);
        String one = tokens.getFirst();
        assertThat(tokens).containsOnly(one);
        assertThat(free.at("/choices/0/logprobs/top_logprobs/0").has(one)).isTrue();
        String stop = one + one.charAt(0);
        JsonNode stopped = generator.json(
                200,
                generator.post(
                        "/internal/completions",
                        biased.formatted(300, ", \"stop\": [\"never\", " + JSON.writeValueAsString(stop) + "]")));
        assertThat(stopped.at("/choices/0/text").stringValue()).isEmpty();
        assertThat(stopped.at("/choices/0/finish_reason").stringValue()).isEqualTo("stop");
    }

    @Test
    void models_lists_the_one_that_is_served() throws Exception {
        JsonNode models = generator.json(200, generator.get("/internal/models"));
        assertThat(models.get("object").stringValue()).isEqualTo("list");
        assertThat(models.at("/data/0/id").stringValue()).isEqualTo("tiny-llama");
    }

    @Test
    void an_unknown_model_a_full_queue_and_too_long_a_prompt_have_their_status_and_code() throws Exception {
        JsonNode unknown =
                refusal(404, "{\"model\": \"gpt-9\", \"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}");
        assertThat(unknown.get("code").stringValue()).isEqualTo("model_not_found");
        JsonNode full = refusal(
                429, "{\"n\": 4, \"max_tokens\": 300, \"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}");
        assertThat(full.get("code").stringValue()).isEqualTo("rate_limit_exceeded");
        JsonNode tooLong =
                refusal(400, "{\"messages\": [{\"role\": \"user\", \"content\": \"" + "hello ".repeat(2000) + "\"}]}");
        assertThat(tooLong.get("code").stringValue()).isEqualTo("context_length_exceeded");
        assertThat(tooLong.get("message").stringValue()).contains("512");
    }

    @Test
    void what_is_wrong_with_a_request_is_named_with_its_field() throws Exception {
        Map<String, String> bad = new HashMap<>();
        bad.put("temperature", "\"messages\": [{\"role\": \"user\", \"content\": \"x\"}], \"temperature\": 3");
        bad.put("messages", "\"messages\": []");
        bad.put("messages[0].role", "\"messages\": [{\"role\": \"king\", \"content\": \"x\"}]");
        bad.put("n", "\"messages\": [{\"role\": \"user\", \"content\": \"x\"}], \"n\": 5");
        bad.put(
                "tools",
                "\"messages\": [{\"role\": \"user\", \"content\": \"x\"}], \"tools\": [{\"type\": \"function\"}]");
        bad.put("stop", "\"messages\": [{\"role\": \"user\", \"content\": \"x\"}], \"stop\": \"\"");
        String message = "\"messages\": [{\"role\": \"user\", \"content\": \"x\"}], ";
        bad.put("made_up", message + "\"made_up\": 1");
        bad.put("logit_bias", message + "\"logit_bias\": {\"5\": 101}");
        bad.put("stream_options", message + "\"stream_options\": {\"include_usage\": true}");
        bad.put("max_tokens", message + "\"max_tokens\": 5, \"max_completion_tokens\": 5");
        bad.put("response_format.type", message + "\"response_format\": {\"type\": \"xml\"}");
        bad.put(
                "response_format",
                message
                        + "\"response_format\": {\"type\": \"json_schema\", \"json_schema\": {\"name\": \"a\", \"schema\": {\"not\": {}}}}");
        bad.put("guided_regex", message + "\"guided_regex\": \"(?=x)\"");
        for (Map.Entry<String, String> entry : bad.entrySet()) {
            JsonNode error = refusal(400, "{" + entry.getValue() + "}");
            assertThat(error.get("param").stringValue()).isEqualTo(entry.getKey());
            assertThat(error.get("type").stringValue()).isEqualTo("invalid_request_error");
        }
        assertThat(refusal(400, "{junk").get("code").stringValue()).isEqualTo("invalid_json");
    }

    @Test
    void an_answer_streams_and_one_that_the_passages_do_not_support_becomes_a_refusal() throws Exception {
        List<RunningGenerator.Event> events =
                generator.events(generator.post("/internal/answer", ask("How long is the Kiso?", 0.9)));
        assertThat(events).hasSizeGreaterThan(1);
        assertThat(events.subList(0, events.size() - 1))
                .allMatch(event -> event.name().equals("delta"));
        assertThat(events.getLast().name()).isEqualTo("done");
        JsonNode done = events.getLast().json().get("done");
        assertThat(done.get("answered").booleanValue()).isFalse();
        assertThat(done.get("answer").stringValue()).contains("comes closest");
        assertThat(done.at("/citations/0/quote").stringValue()).contains("Kiso");
        assertThat(done.at("/usage/completionTokens").intValue()).isPositive();
        assertThat(done.at("/provenance/model").stringValue()).isEqualTo("tiny-llama");
        assertThat(done.at("/provenance/indexGeneration").stringValue()).isEqualTo("g1");
        assertThat(done.at("/timings/totalMillis").longValue())
                .isGreaterThanOrEqualTo(done.at("/timings/firstTokenMillis").longValue())
                .isGreaterThanOrEqualTo(12);
    }

    @Test
    void an_off_topic_question_is_refused_in_its_language_without_generating() throws Exception {
        List<RunningGenerator.Event> events =
                generator.events(generator.post("/internal/answer", ask("今日の天気はどうですか。", 0.7)));
        JsonNode done = events.getLast().json().get("done");
        assertThat(done.get("answered").booleanValue()).isFalse();
        assertThat(done.get("answer").stringValue()).contains("見つかりませんでした");
        assertThat(done.at("/usage/completionTokens").intValue()).isZero();
    }

    @Test
    void a_bad_question_is_a_problem_detail() throws Exception {
        JsonNode empty = generator.json(400, generator.post("/internal/answer", ask(" ", 0.9)));
        assertThat(empty.get("type").stringValue()).isEqualTo("urn:tsumugi:problem:question-missing");
        JsonNode tooLong = generator.json(400, generator.post("/internal/answer", ask("why so ".repeat(900), 0.95)));
        assertThat(tooLong.get("type").stringValue()).isEqualTo("urn:tsumugi:problem:question-too-long");
        JsonNode missing = generator.json(
                400,
                generator.post(
                        "/internal/answer",
                        "{\"question\": \"x\", \"indexGeneration\": \"g\", \"retrievalMillis\": 0}"));
        assertThat(missing.get("detail").stringValue()).contains("passages");
    }

    @Test
    void questions_over_kafka_are_answered_for_their_tenant_and_bad_ones_are_dead_lettered_with_a_result()
            throws Exception {
        try (KafkaProducer<String, byte[]> producer =
                        new KafkaProducer<>(kafka(), new StringSerializer(), new ByteArraySerializer());
                KafkaConsumer<String, byte[]> results =
                        new KafkaConsumer<>(kafka(), new StringDeserializer(), new ByteArrayDeserializer())) {
            byte[] good = JSON.writeValueAsBytes(
                    new GenerationRequest(1, "How long is the Kiso?", 3, null, List.of("group:staff")));
            producer.send(new ProducerRecord<>(Topics.GENERATION_REQUESTS, "acme/1", good));
            producer.send(
                    new ProducerRecord<>(Topics.GENERATION_REQUESTS, "acme/2", "{\"schemaVersion\": 9}".getBytes()));
            producer.send(new ProducerRecord<>(Topics.GENERATION_REQUESTS, "acme/1", good));
            producer.flush();
            results.subscribe(
                    List.of(Topics.GENERATION_RESULTS, Topics.GENERATION_REQUESTS + Topics.DEAD_LETTER_SUFFIX));
            List<String> seen = new ArrayList<>();
            await().atMost(LONG).until(() -> {
                results.poll(Duration.ofMillis(200))
                        .forEach(record -> seen.add(record.topic() + " " + record.key() + " "
                                + (record.topic().equals(Topics.GENERATION_RESULTS)
                                        ? JSON.readTree(record.value())
                                                        .path("error")
                                                        .isString()
                                                ? "error"
                                                : "answer"
                                        : "")));
                return seen.size() >= 4;
            });
            assertThat(seen)
                    .containsExactlyInAnyOrder(
                            "generation-results acme/1 answer",
                            "generation-results acme/1 answer",
                            "generation-results acme/2 error",
                            "generation-requests.DLT acme/2 ");
        }
        assertThat(searchCallers).containsOnly("acme group%3Astaff");
    }

    private static JsonNode refusal(int status, String body) throws Exception {
        return generator
                .json(status, generator.post("/internal/chat/completions", body))
                .get("error");
    }

    private static String ask(String question, double similarity) {
        return JSON.writeValueAsString(new AnswerRequest(
                question,
                List.of(Passages.passage("rivers", "The Kiso is 229 kilometres long.", similarity, 100)),
                "g1",
                null,
                null,
                12,
                null));
    }

    private static Properties kafka() {
        Properties properties = new Properties();
        properties.setProperty("bootstrap.servers", EmbeddedKafka.shared().bootstrapServers());
        properties.setProperty("group.id", "generator-it");
        properties.setProperty("auto.offset.reset", "earliest");
        return properties;
    }
}
