package dev.tsumugi.trainer.mlflow;

import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.json.JsonMapper;

/** What a server does wrong; what a real one does is seen by {@code MlflowIT}. */
class MlflowServerTests {
    private static final TrackedRun RUN = new TrackedRun(
            "tsumugi/acme",
            "support",
            TrackedRun.Status.FINISHED,
            Instant.EPOCH,
            Instant.EPOCH,
            Map.of(),
            Map.of(),
            List.of());

    private static MlflowServer at(HttpServer server) {
        return new MlflowServer(
                "http://127.0.0.1:" + server.getAddress().getPort() + "/", Duration.ofMillis(300), JsonMapper.shared());
    }

    private static HttpServer listening() throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.start();
        return server;
    }

    @Test
    @Timeout(value = 20, unit = TimeUnit.SECONDS)
    void a_server_that_is_silent_or_stops_in_the_middle_of_an_answer_is_given_up() throws IOException {
        HttpServer server = listening();
        try {
            server.createContext("/", exchange -> {
                exchange.sendResponseHeaders(200, 1000);
                exchange.getResponseBody().write('{');
                exchange.getResponseBody().flush();
            });
            assertThatThrownBy(() -> at(server).record(RUN))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("does not answer");
            server.removeContext("/");
            server.createContext("/", exchange -> {});
            assertThatThrownBy(() -> at(server).record(RUN))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("does not answer");
        } finally {
            server.stop(0);
        }
    }

    @Test
    void a_refusal_is_named_with_what_the_server_says_and_what_is_no_mlflow_is_told() throws IOException {
        HttpServer server = listening();
        try {
            byte[] page = "<html>".getBytes(java.nio.charset.StandardCharsets.UTF_8);
            server.createContext("/", exchange -> {
                exchange.sendResponseHeaders(200, page.length);
                exchange.getResponseBody().write(page);
                exchange.close();
            });
            assertThatThrownBy(() -> at(server).record(RUN))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("is it an MLflow server?");
            server.removeContext("/");
            server.createContext("/", exchange -> {
                exchange.sendResponseHeaders(403, page.length);
                exchange.getResponseBody().write(page);
                exchange.close();
            });
            assertThatThrownBy(() -> at(server).record(RUN))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("403")
                    .hasMessageContaining("<html>");
        } finally {
            server.stop(0);
        }
        assertThatThrownBy(() -> at(server).record(RUN)).isInstanceOf(IOException.class);
    }

    @Test
    void an_address_that_is_none_or_holds_a_password_is_refused_at_the_start() {
        for (String wrong : List.of("mlflow:5000", "file:///runs", "http://me:secret@mlflow:5000", "http://")) {
            assertThatIllegalArgumentException()
                    .as(wrong)
                    .isThrownBy(() -> new MlflowProperties(wrong))
                    .withMessageNotContaining("secret");
        }
        new MlflowProperties("");
        new MlflowProperties("https://mlflow.example:5000/base");
    }
}
