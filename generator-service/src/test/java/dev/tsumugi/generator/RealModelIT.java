package dev.tsumugi.generator;

import static dev.tsumugi.generator.RunningGenerator.JSON;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tsumugi.contracts.api.AnswerRequest;
import dev.tsumugi.contracts.api.SearchResponse.Hit;
import dev.tsumugi.embedded.downloads.Downloads;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** The default model answers from passages. */
class RealModelIT {
    private static final String BACKUP =
            "Nightly backups are written to the storage server in Osaka. Backups are kept for 35 days and then deleted. "
                    + "The restore test takes place on the first Monday of each month.";
    private static final String OFFICE =
            "The office in Nagoya opens at 8:30 in the morning. Visitors sign in at the reception desk on the second floor.";

    private static RunningGenerator generator;

    @BeforeAll
    static void start() {
        generator = new RunningGenerator(
                Map.of("tsumugi.generator.model", Downloads.inDefaultCache().languageModel()));
    }

    @AfterAll
    static void stop() {
        generator.close();
    }

    @Test
    void the_answer_holds_the_fact_and_cites_the_words_of_the_document() throws Exception {
        String document = "# Operations\n\n" + BACKUP;
        Hit hit = Passages.passage("operations", BACKUP, 0.88, document.indexOf(BACKUP));
        JsonNode done = ask("How long are backups kept?", List.of(hit, Passages.passage("office", OFFICE, 0.8, 0)));
        assertThat(done.get("answered").booleanValue()).as(done.toString()).isTrue();
        assertThat(done.get("answer").stringValue()).contains("35 days").contains("[1]");
        JsonNode citation = done.get("citations").get(0);
        assertThat(citation.get("documentId").stringValue()).isEqualTo("operations");
        assertThat(citation.get("quote").stringValue()).contains("35 days");
        assertThat(document.substring(
                        citation.get("start").intValue(), citation.get("end").intValue()))
                .isEqualTo(citation.get("quote").stringValue());
    }

    @Test
    void an_off_topic_question_is_not_answered() throws Exception {
        JsonNode done = ask(
                "Who won the football championship?",
                List.of(Passages.passage("operations", BACKUP, 0.77, 0), Passages.passage("office", OFFICE, 0.76, 0)));
        assertThat(done.get("answered").booleanValue()).isFalse();
    }

    @Test
    void a_client_that_hangs_up_ends_its_generation() throws Exception {
        String body = """
                {"messages": [{"role": "user", "content": "Write a very long story about a river."}], "stream": true, "max_tokens": 4000}""";
        URI uri = generator.get("/").uri();
        double before = generator.metric("tsumugi_generator_tokens_generated_total");
        try (Socket socket = new Socket(uri.getHost(), uri.getPort())) {
            send(body, socket);
            BufferedReader in =
                    new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
            int pieces = 0;
            for (String line = in.readLine(); line != null && pieces < 3; line = in.readLine()) {
                pieces += line.startsWith("data: ") ? 1 : 0;
            }
            assertThat(pieces).isEqualTo(3);
        }
        await().atMost(Duration.ofSeconds(20)).until(() -> generator.metric("tsumugi_generator_running") == 0);
        assertThat(generator.metric("tsumugi_generator_tokens_generated_total") - before)
                .isLessThan(400);
    }

    @Test
    void a_client_that_hangs_up_before_its_whole_answer_is_finished_ends_its_generation() throws Exception {
        // Without the token that ends an answer it takes all the tokens that it may.
        String body = """
                {"messages": [{"role": "user", "content": "Tell a story."}], "logit_bias": {"2": -100}, "max_tokens": 4000}""";
        URI uri = generator.get("/").uri();
        double before = generator.metric("tsumugi_generator_tokens_generated_total");
        try (Socket socket = new Socket(uri.getHost(), uri.getPort())) {
            send(body, socket);
            await().atMost(Duration.ofSeconds(20)).until(() -> generator.metric("tsumugi_generator_running") == 1);
        }
        await().atMost(Duration.ofSeconds(60)).until(() -> generator.metric("tsumugi_generator_running") == 0);
        assertThat(generator.metric("tsumugi_generator_tokens_generated_total") - before)
                .isLessThan(3000);
    }

    private static void send(String body, Socket socket) throws IOException {
        OutputStream out = socket.getOutputStream();
        out.write(("POST /internal/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                        + "X-Tsumugi-Internal-Token: " + RunningGenerator.TOKEN + "\r\nContent-Length: "
                        + body.getBytes(StandardCharsets.UTF_8).length + "\r\n\r\n" + body)
                .getBytes(StandardCharsets.UTF_8));
        out.flush();
    }

    private static JsonNode ask(String question, List<Hit> passages) throws Exception {
        AnswerRequest request = new AnswerRequest(question, passages, "g1", null, null, 0, null);
        List<RunningGenerator.Event> events =
                generator.events(generator.post("/internal/answer", JSON.writeValueAsString(request)));
        assertThat(events.getLast().name()).as(events.toString()).isEqualTo("done");
        return events.getLast().json().get("done");
    }
}
