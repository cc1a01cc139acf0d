package dev.tsumugi.generator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tsumugi.contracts.api.AnswerRequest;
import dev.tsumugi.contracts.api.InternalHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Every way into the engine says for whom: one tenant's requests leave room for the others'. */
class TenantLimitIT {
    private static final String LONG_TEXT = "{\"prompt\": \"hello\", \"max_tokens\": 480}";
    private static final AtomicInteger tenants = new AtomicInteger();

    private static RunningGenerator generator;

    @BeforeAll
    static void start() {
        generator = new RunningGenerator(Map.of(
                "tsumugi.generator.model",
                Path.of("src/test/resources/tiny-llama").toAbsolutePath(),
                "tsumugi.generator.max-running",
                "2",
                "tsumugi.generator.max-queued",
                "6",
                "tsumugi.generator.max-per-tenant",
                "1"));
    }

    @AfterAll
    static void stop() {
        generator.close();
    }

    @Test
    void a_tenant_with_all_it_may_have_is_refused_on_every_path_while_others_are_served() {
        AtomicBoolean enough = new AtomicBoolean();
        CompletableFuture<Void> busy = CompletableFuture.runAsync(() -> {
            while (!enough.get()) {
                keepBusy();
            }
        });
        try {
            Map<String, String> bodies = Map.of(
                    "/internal/completions",
                    "{\"prompt\": \"hello\", \"max_tokens\": 1}",
                    "/internal/chat/completions",
                    "{\"messages\": [{\"role\": \"user\", \"content\": \"hello\"}], \"max_tokens\": 1}",
                    "/internal/answer",
                    RunningGenerator.JSON.writeValueAsString(new AnswerRequest(
                            "How long is the Kiso?",
                            List.of(Passages.passage("rivers", "The Kiso is 229 kilometres long.", 0.9, 0)),
                            "g1",
                            null,
                            null,
                            0,
                            null)));
            bodies.forEach((path, body) -> await().atMost(Duration.ofSeconds(60))
                    .until(() -> {
                        HttpResponse<String> ofAnother = call("other-" + tenants.incrementAndGet(), path, body);
                        assertThat(ofAnother.statusCode()).as(ofAnother.body()).isEqualTo(200);
                        HttpResponse<String> own = call("acme", path, body);
                        return own.statusCode() == 429 && own.body().contains("the tenant has 1 unfinished");
                    }));
        } finally {
            enough.set(true);
            busy.join();
        }
    }

    private static void keepBusy() {
        try {
            call("acme", "/internal/completions", LONG_TEXT);
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    private static HttpResponse<String> call(String tenant, String path, String body) throws Exception {
        return generator.send(HttpRequest.newBuilder(generator.post(path, body), (name, value) -> true)
                .header(InternalHeaders.TENANT, tenant)
                .build());
    }
}
