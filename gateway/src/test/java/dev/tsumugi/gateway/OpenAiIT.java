package dev.tsumugi.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class OpenAiIT {
    private RunningGateway gateway;

    @BeforeEach
    void start() {
        gateway = RunningGateway.shared();
        gateway.generator.on("GET /internal/models", 200, """
                {"object":"list","data":[{"id":"small","object":"model","created":1,"owned_by":"tsumugi"}]}""");
        gateway.embed.on("POST /internal/embed", exchange -> {
            JsonNode request =
                    JsonMapper.shared().readTree(exchange.getRequestBody().readAllBytes());
            float sign = request.path("kind").asString().equals("QUERY") ? -1 : 1;
            StringBuilder vectors = new StringBuilder();
            for (JsonNode text : request.path("texts")) {
                vectors.append(vectors.isEmpty() ? "" : ",")
                        .append("[" + sign * text.asString().length() + ",0.5]");
            }
            StandInService.answer(
                    exchange,
                    200,
                    "application/json",
                    "{\"model\":\"e5\",\"indexGeneration\":\"g1\",\"vectors\":[" + vectors + "],\"tokens\":"
                            + request.path("texts").size() + "}");
        });
    }

    @Test
    void chat_passes_the_body_and_the_answer_through() throws Exception {
        gateway.generator.on(
                "POST /internal/chat/completions",
                exchange -> StandInService.answer(
                        exchange,
                        200,
                        "application/json",
                        new String(exchange.getRequestBody().readAllBytes())));
        String body = "{\"model\":\"small\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"unknown\":1}";
        HttpResponse<String> response = gateway.post("/v1/chat/completions", body);
        assertThat(response.statusCode()).isEqualTo(200);
        assertThat(response.body()).isEqualTo(body);
    }

    @Test
    void a_streamed_completion_is_relayed() throws Exception {
        gateway.generator.on("POST /internal/completions", exchange -> {
            exchange.getRequestBody().readAllBytes();
            exchange.getResponseHeaders().set("Content-Type", "text/event-stream");
            exchange.sendResponseHeaders(200, 0);
            try (OutputStream out = exchange.getResponseBody()) {
                out.write("data: {\"x\":1}\n\ndata: [DONE]\n\n".getBytes(StandardCharsets.UTF_8));
            }
        });
        HttpResponse<String> response = gateway.post("/v1/completions", "{\"prompt\":\"a\",\"stream\":true}");
        assertThat(response.headers().firstValue("Content-Type").orElse("")).startsWith("text/event-stream");
        assertThat(response.body()).isEqualTo("data: {\"x\":1}\n\ndata: [DONE]\n\n");
    }

    @Test
    void a_caller_who_leaves_before_his_whole_completion_is_there_stops_the_generator() throws Exception {
        CompletableFuture<String> ended = new CompletableFuture<>();
        CountDownLatch asked = new CountDownLatch(1);
        CountDownLatch left = new CountDownLatch(1);
        gateway.generator.on("POST /internal/completions", exchange -> {
            exchange.getRequestBody().readAllBytes();
            asked.countDown();
            try (OutputStream out = exchange.getResponseBody()) {
                // As the generator, which says nothing before all is written.
                assertThat(left.await(20, TimeUnit.SECONDS)).isTrue();
                await().atMost(Duration.ofSeconds(20)).ignoreNoExceptions().until(() -> {
                    if (exchange.getResponseCode() < 0) {
                        exchange.sendResponseHeaders(200, 0);
                    }
                    out.write(' ');
                    out.flush();
                    return false;
                });
            } catch (IOException | RuntimeException e) {
                ended.complete(e instanceof IOException ? "stopped" : e.toString());
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        byte[] body = "{\"prompt\":\"a\"}".getBytes(StandardCharsets.UTF_8);
        URI address = URI.create(gateway.url);
        try (Socket caller = new Socket(address.getHost(), address.getPort())) {
            caller.getOutputStream()
                    .write(("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
                                    + RunningGateway.KEY + "\r\nContent-Type: application/json\r\nContent-Length: "
                                    + body.length
                                    + "\r\n\r\n")
                            .getBytes(StandardCharsets.US_ASCII));
            caller.getOutputStream().write(body);
            assertThat(asked.await(20, TimeUnit.SECONDS)).isTrue();
        }
        left.countDown();
        assertThat(ended.get(30, TimeUnit.SECONDS)).contains("stopped");
    }

    @Test
    void errors_of_the_generator_have_openais_shape_whichever_it_used() throws Exception {
        gateway.generator.on("POST /internal/chat/completions", 404, """
                {"type":"urn:tsumugi:problem:model-not-found","title":"Not Found","status":404,"detail":"There is no model 'x'."}""");
        JsonNode fromProblem =
                RunningGateway.json(gateway.post("/v1/chat/completions", "{}")).path("error");
        assertThat(fromProblem.path("message").asString()).isEqualTo("There is no model 'x'.");
        assertThat(fromProblem.path("code").asString()).isEqualTo("model_not_found");
        assertThat(fromProblem.path("type").asString()).isEqualTo("invalid_request_error");
        assertThat(fromProblem.has("param")).isTrue();
        gateway.generator.on(
                "POST /internal/chat/completions",
                exchange -> StandInService.answer(exchange, 400, "application/json", """
                        {"error":{"message":"messages is missing","type":"invalid_request_error","param":"messages","code":"invalid_field"}}"""));
        HttpResponse<String> response = gateway.post("/v1/chat/completions", "{}");
        assertThat(response.statusCode()).isEqualTo(400);
        JsonNode fromOpenAi = RunningGateway.json(response).path("error");
        assertThat(fromOpenAi.path("message").asString()).isEqualTo("messages is missing");
        assertThat(fromOpenAi.path("param").asString()).isEqualTo("messages");
    }

    @Test
    void models_are_those_of_the_generator_and_the_embedding_model() throws Exception {
        JsonNode models = RunningGateway.json(gateway.get("/v1/models"));
        assertThat(models.path("object").asString()).isEqualTo("list");
        assertThat(models.path("data").findValuesAsString("id")).containsExactly("small", "e5");
        assertThat(RunningGateway.json(gateway.get("/v1/models/small"))
                        .path("owned_by")
                        .asString())
                .isEqualTo("tsumugi");
        assertThat(gateway.get("/v1/models/large").statusCode()).isEqualTo(404);
    }

    @Test
    void embeddings_come_as_floats_in_order() throws Exception {
        JsonNode answer =
                RunningGateway.json(gateway.post("/v1/embeddings", "{\"model\":\"e5\",\"input\":[\"abc\",\"a\"]}"));
        assertThat(answer.path("data").path(0).path("embedding").path(0).asDouble())
                .isEqualTo(3);
        assertThat(answer.path("data").path(1).path("index").asInt()).isEqualTo(1);
        assertThat(answer.path("data").path(1).path("embedding").path(0).asDouble())
                .isEqualTo(1);
        assertThat(answer.path("usage").path("total_tokens").asInt()).isEqualTo(2);
    }

    @Test
    void embeddings_come_as_little_endian_base64_when_asked() throws Exception {
        JsonNode answer = RunningGateway.json(
                gateway.post("/v1/embeddings", "{\"model\":\"e5\",\"input\":\"abc\",\"encoding_format\":\"base64\"}"));
        ByteBuffer bytes = ByteBuffer.wrap(Base64.getDecoder()
                        .decode(answer.path("data").path(0).path("embedding").asString()))
                .order(ByteOrder.LITTLE_ENDIAN);
        assertThat(bytes.getFloat()).isEqualTo(3f);
        assertThat(bytes.getFloat()).isEqualTo(0.5f);
    }

    @Test
    void a_query_is_embedded_as_one() throws Exception {
        JsonNode answer = RunningGateway.json(
                gateway.post("/v1/embeddings", "{\"model\":\"e5\",\"input\":\"abc\",\"input_type\":\"query\"}"));
        assertThat(answer.path("data").path(0).path("embedding").path(0).asDouble())
                .isEqualTo(-3);
    }

    @Test
    void many_texts_are_embedded_in_several_calls() throws Exception {
        String input = "\"x\",".repeat(150) + "\"last\"";
        JsonNode answer =
                RunningGateway.json(gateway.post("/v1/embeddings", "{\"model\":\"e5\",\"input\":[" + input + "]}"));
        assertThat(answer.path("data")).hasSize(151);
        assertThat(answer.path("data").path(150).path("embedding").path(0).asDouble())
                .isEqualTo(4);
        assertThat(answer.path("usage").path("prompt_tokens").asInt()).isEqualTo(151);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"model\":\"e5\"} | 400 | input",
                "{\"model\":\"e5\",\"input\":[]} | 400 | input",
                "{\"model\":\"e5\",\"input\":[1,2]} | 400 | input",
                "{\"model\":\"e5\",\"input\":[[1],[2]]} | 400 | input",
                "{\"model\":\"e5\",\"input\":[\"a\",\" \"]} | 400 | input[1]",
                "{\"input\":\"a\"} | 400 | model",
                "{\"model\":\"ada\",\"input\":\"a\"} | 404 | model",
                "{\"model\":\"e5\",\"input\":\"a\",\"dimensions\":7} | 400 | dimensions",
                "{\"model\":\"e5\",\"input\":\"a\",\"encoding_format\":\"hex\"} | 400 | encoding_format",
                "{\"model\":\"e5\",\"input\":\"a\",\"input_type\":\"poem\"} | 400 | input_type",
            })
    void what_cannot_be_embedded_is_refused_by_name(String body, int status, String param) throws Exception {
        HttpResponse<String> response = gateway.post("/v1/embeddings", body);
        assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
        assertThat(RunningGateway.json(response).path("error").path("param").asString())
                .isEqualTo(param);
    }
}
