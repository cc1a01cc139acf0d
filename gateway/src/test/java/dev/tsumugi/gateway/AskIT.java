package dev.tsumugi.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.sun.net.httpserver.HttpExchange;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

class AskIT {
    private static final String HITS = """
            {"hits":[{"documentId":"handbook","chunkId":"handbook/1","version":1,"title":"Handbook","heading":"Leave",
            "text":"Twenty days.","score":1.0,"similarity":0.9,"start":0,"end":12}],"indexGeneration":"g1"}""";
    private static final String DONE = """
            {"delta":null,"done":{"answer":"Twenty days [1].","answered":true,"citations":[{"marker":1,"documentId":"handbook",\
            "chunkId":"handbook/1","title":"Handbook","quote":"Twenty days.","start":0,"end":12}],"provenance":{"model":"m",\
            "adapter":null,"indexGeneration":"g1","promptVersion":"1"},"usage":{"promptTokens":9,"completionTokens":4},\
            "timings":{"retrievalMillis":1,"firstTokenMillis":2,"totalMillis":3}},"error":null}""";
    private static final String STREAMED = "{\"question\":\"How much leave?\",\"stream\":true}";

    private RunningGateway gateway;

    @BeforeEach
    void start() {
        gateway = RunningGateway.shared();
        gateway.retriever.on("POST /internal/search", 200, HITS);
    }

    @FunctionalInterface
    private interface Script {
        void write(OutputStream out) throws IOException, InterruptedException;
    }

    private static void events(HttpExchange exchange, Script script) throws IOException {
        exchange.getRequestBody().readAllBytes();
        exchange.getResponseHeaders().set("Content-Type", "text/event-stream");
        exchange.sendResponseHeaders(200, 0);
        try (OutputStream out = exchange.getResponseBody()) {
            script.write(out);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void event(OutputStream out, String name, String data) throws IOException {
        out.write(("event: " + name + "\ndata: " + data + "\n\n").getBytes(StandardCharsets.UTF_8));
        out.flush();
    }

    private HttpResponse<InputStream> stream() throws Exception {
        return gateway.http.send(
                gateway.request("/api/v1/ask")
                        .header("Content-Type", "application/json")
                        .POST(BodyPublishers.ofString(STREAMED))
                        .build(),
                HttpResponse.BodyHandlers.ofInputStream());
    }

    @Test
    void a_whole_answer_is_what_the_generator_says_at_the_end() throws Exception {
        AtomicReference<String> asked = new AtomicReference<>("");
        gateway.generator.on("POST /internal/answer", exchange -> {
            asked.set(new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
            events(exchange, out -> {
                event(out, "delta", "{\"delta\":\"Twenty\"}");
                event(out, "done", DONE);
            });
        });
        HttpResponse<String> response = gateway.post(
                "/api/v1/ask",
                "{\"question\":\"How much leave?\",\"adapter\":\"none\",\"history\":[{\"role\":\"user\",\"content\":\"Hi\"}]}");
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        JsonNode answer = RunningGateway.json(response);
        assertThat(answer.path("answer").asString()).isEqualTo("Twenty days [1].");
        assertThat(answer.path("citations").path(0).path("quote").asString()).isEqualTo("Twenty days.");
        assertThat(asked.get())
                .contains(
                        "\"question\":\"How much leave?\"",
                        "handbook/1",
                        "\"adapter\":\"none\"",
                        "\"indexGeneration\":\"g1\"",
                        "Hi");
    }

    @Test
    void a_streamed_answer_arrives_while_it_is_written() throws Exception {
        CountDownLatch firstWasRead = new CountDownLatch(1);
        gateway.generator.on(
                "POST /internal/answer",
                exchange -> events(exchange, out -> {
                    event(out, "delta", "{\"delta\":\"Twenty\"}");
                    // Goes on only when the caller has the first words in hand.
                    if (firstWasRead.await(20, TimeUnit.SECONDS)) {
                        event(out, "done", DONE);
                    }
                }));
        HttpResponse<InputStream> response = stream();
        assertThat(response.statusCode()).isEqualTo(200);
        assertThat(response.headers().firstValue("Content-Type").orElse("")).startsWith("text/event-stream");
        List<String> lines = new ArrayList<>();
        try (BufferedReader reader =
                new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8))) {
            String line;
            while ((line = reader.readLine()) != null) {
                lines.add(line);
                if (line.contains("Twenty\"}")) {
                    firstWasRead.countDown();
                }
            }
        }
        assertThat(lines).contains("event: delta", "data: {\"delta\":\"Twenty\"}", "event: done", "data: " + DONE);
    }

    @Test
    void a_silent_stream_is_kept_alive_by_comments() throws Exception {
        CountDownLatch commentSeen = new CountDownLatch(1);
        gateway.generator.on(
                "POST /internal/answer",
                exchange -> events(exchange, out -> {
                    out.flush();
                    commentSeen.await(20, TimeUnit.SECONDS);
                    event(out, "done", DONE);
                }));
        try (BufferedReader reader =
                new BufferedReader(new InputStreamReader(stream().body(), StandardCharsets.UTF_8))) {
            assertThat(reader.readLine()).startsWith(":");
            commentSeen.countDown();
            assertThat(reader.lines()).contains("event: done");
        }
    }

    @Test
    void a_caller_who_leaves_stops_the_generator() throws Exception {
        CompletableFuture<String> ended = new CompletableFuture<>();
        gateway.generator.on("POST /internal/answer", exchange -> {
            try {
                events(exchange, out -> {
                    for (int i = 0; i < 100_000; i++) {
                        event(out, "delta", "{\"delta\":\"word \"}");
                        TimeUnit.MILLISECONDS.sleep(1);
                    }
                    ended.complete("wrote everything");
                });
            } catch (IOException e) {
                ended.complete("stopped");
            }
        });
        InputStream body = stream().body();
        assertThat(body.readNBytes(20)).isNotEmpty();
        body.close();
        assertThat(ended.get(20, TimeUnit.SECONDS)).isEqualTo("stopped");
    }

    @Test
    void a_caller_who_leaves_before_the_first_word_stops_the_generator_too() throws Exception {
        CompletableFuture<String> ended = new CompletableFuture<>();
        CountDownLatch callerLeft = new CountDownLatch(1);
        gateway.generator.on("POST /internal/answer", exchange -> {
            try {
                events(exchange, out -> {
                    out.flush();
                    callerLeft.await(20, TimeUnit.SECONDS);
                    await().atMost(Duration.ofSeconds(20)).ignoreNoExceptions().until(() -> {
                        // A write into a closed connection fails; one comment does no harm to an open one.
                        out.write(":\n\n".getBytes(StandardCharsets.UTF_8));
                        out.flush();
                        return false;
                    });
                });
            } catch (IOException | RuntimeException e) {
                ended.complete(e instanceof IOException ? "stopped" : e.toString());
            }
        });
        InputStream body = stream().body();
        body.close();
        callerLeft.countDown();
        assertThat(ended.get(30, TimeUnit.SECONDS)).contains("stopped");
    }

    @Test
    void a_caller_who_leaves_while_a_whole_answer_is_generated_stops_the_generator() throws Exception {
        CompletableFuture<String> ended = new CompletableFuture<>();
        CountDownLatch asked = new CountDownLatch(1);
        gateway.generator.on("POST /internal/answer", exchange -> {
            try {
                events(exchange, out -> {
                    asked.countDown();
                    await().atMost(Duration.ofSeconds(20)).ignoreNoExceptions().until(() -> {
                        event(out, "delta", "{\"delta\":\"word \"}");
                        return false;
                    });
                });
            } catch (IOException | RuntimeException e) {
                ended.complete(e instanceof IOException ? "stopped" : e.toString());
            }
        });
        byte[] body = "{\"question\":\"How much leave?\"}".getBytes(StandardCharsets.UTF_8);
        URI address = URI.create(gateway.url);
        try (Socket caller = new Socket(address.getHost(), address.getPort())) {
            caller.getOutputStream()
                    .write(("POST /api/v1/ask HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
                                    + RunningGateway.KEY + "\r\nContent-Type: application/json\r\nContent-Length: "
                                    + body.length
                                    + "\r\n\r\n")
                            .getBytes(StandardCharsets.US_ASCII));
            caller.getOutputStream().write(body);
            assertThat(asked.await(20, TimeUnit.SECONDS)).isTrue();
        }
        assertThat(ended.get(15, TimeUnit.SECONDS)).contains("stopped");
    }

    @Test
    void a_caller_who_waits_gets_a_slow_answer_and_his_connection_serves_the_next_question() throws Exception {
        gateway.generator.on(
                "POST /internal/answer",
                exchange -> events(exchange, out -> {
                    // Longer than the gateway takes to look whether the caller is there.
                    TimeUnit.MILLISECONDS.sleep(2500);
                    event(out, "done", DONE);
                }));
        for (int i = 0; i < 2; i++) {
            HttpResponse<String> response = gateway.post("/api/v1/ask", "{\"question\":\"How much leave?\"}");
            assertThat(response.statusCode()).isEqualTo(200);
            assertThat(RunningGateway.json(response).path("answer").asString()).isEqualTo("Twenty days [1].");
        }
    }

    @Test
    void an_answer_that_breaks_off_says_so() throws Exception {
        gateway.generator.on("POST /internal/answer", exchange -> {
            exchange.getRequestBody().readAllBytes();
            exchange.getResponseHeaders().set("Content-Type", "text/event-stream");
            exchange.sendResponseHeaders(200, 1_000_000);
            event(exchange.getResponseBody(), "delta", "{\"delta\":\"Twenty\"}");
            // Closes the connection although a million bytes were promised.
            exchange.close();
        });
        String body = new String(stream().body().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(body).contains("event: delta", "event: error", "broke off");

        HttpResponse<String> whole = gateway.post("/api/v1/ask", "{\"question\":\"How much leave?\"}");
        assertThat(whole.statusCode()).isEqualTo(502);
        assertThat(RunningGateway.json(whole).path("type").asString())
                .isEqualTo("urn:tsumugi:problem:generation-failed");
    }

    @Test
    void an_unknown_adapter_is_a_404_even_for_a_stream() throws Exception {
        gateway.generator.on("POST /internal/answer", 404, """
                {"type":"urn:tsumugi:problem:adapter-not-found","title":"Not Found","status":404,"detail":"There is no adapter 'x'."}""");
        for (String stream : List.of("true", "false")) {
            HttpResponse<String> response =
                    gateway.post("/api/v1/ask", "{\"question\":\"a\",\"adapter\":\"x\",\"stream\":" + stream + "}");
            assertThat(response.statusCode()).isEqualTo(404);
            assertThat(response.headers().firstValue("Content-Type")).hasValue("application/problem+json");
            assertThat(response.body()).contains("adapter-not-found", "There is no adapter 'x'.");
        }
    }

    @Test
    void more_questions_than_slots_are_told_to_come_again() throws Exception {
        CountDownLatch release = new CountDownLatch(1);
        CountDownLatch bothRunning = new CountDownLatch(2);
        gateway.generator.on(
                "POST /internal/answer",
                exchange -> events(exchange, out -> {
                    out.flush();
                    bothRunning.countDown();
                    release.await(30, TimeUnit.SECONDS);
                    event(out, "done", DONE);
                }));
        HttpResponse<InputStream> first = stream();
        HttpResponse<InputStream> second = stream();
        assertThat(bothRunning.await(20, TimeUnit.SECONDS)).isTrue();
        HttpResponse<String> third = gateway.post("/api/v1/ask", STREAMED);
        assertThat(third.statusCode()).isEqualTo(429);
        assertThat(third.headers().firstValue("Retry-After")).isPresent();
        release.countDown();
        first.body().readAllBytes();
        second.body().readAllBytes();
        await().untilAsserted(() ->
                assertThat(gateway.post("/api/v1/ask", STREAMED).statusCode()).isEqualTo(200));
    }

    @Test
    void a_citation_can_be_looked_up() throws Exception {
        gateway.retriever.on(
                "GET /internal/chunks/%E6%89%8B%E5%BC%95/a%231",
                200,
                "{\"documentId\":\"手引\",\"chunkId\":\"手引/a#1\",\"version\":1,\"title\":\"T\",\"heading\":\"\",\"text\":\"本文\",\"score\":0,\"similarity\":0,\"start\":0,\"end\":2}");
        HttpResponse<String> response = gateway.get("/api/v1/chunks/%E6%89%8B%E5%BC%95%2Fa%231");
        assertThat(response.statusCode()).isEqualTo(200);
        assertThat(RunningGateway.json(response).path("text").asString()).isEqualTo("本文");
    }
}
