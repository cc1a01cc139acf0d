package dev.tsumugi.trainer.retrieval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.sun.net.httpserver.HttpServer;
import dev.tsumugi.platform.web.InternalClients;
import dev.tsumugi.platform.web.ProblemException;
import dev.tsumugi.trainer.examples.Example;
import dev.tsumugi.trainer.replicas.Replicas;
import dev.tsumugi.trainer.sets.SetMember;
import dev.tsumugi.trainer.sets.Split;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.springframework.web.client.ResourceAccessException;

/** Contexts over HTTP, from retrievers of which some fail. */
class ContextsIT {
    private static final Duration LIMIT = Duration.ofSeconds(10);
    private static final String HIT = """
            {"hits": [{"documentId": "d", "chunkId": "d#0", "version": 1, "title": "", "heading": "", "text": "found",
              "score": 1, "similarity": 1, "start": 0, "end": 5}], "indexGeneration": "g", "degraded": null}""";

    private final List<HttpServer> servers = new ArrayList<>();

    @AfterEach
    void stop() {
        servers.forEach(server -> server.stop(0));
    }

    /** A retriever that counts what it is asked. */
    private URI retriever(int status, String body, AtomicInteger asked) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.createContext("/", exchange -> {
            exchange.getRequestBody().readAllBytes();
            asked.incrementAndGet();
            byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().set("Content-Type", "application/json");
            exchange.sendResponseHeaders(status, bytes.length);
            exchange.getResponseBody().write(bytes);
            exchange.close();
        });
        server.start();
        servers.add(server);
        return URI.create("http://127.0.0.1:" + server.getAddress().getPort());
    }

    private static Contexts contexts(int workers, URI... retrievers) {
        return new Contexts(
                new Replicas(new InternalClients("token"), List.of(retrievers), LIMIT),
                workers,
                document -> Split.TRAIN);
    }

    private static List<SetMember> members(int count) {
        return IntStream.range(0, count)
                .mapToObj(i -> new SetMember(
                        Split.TRAIN,
                        "import",
                        Example.checked("e" + i, "Where is " + i + "?", List.of(), "there", true)))
                .toList();
    }

    @Test
    void every_example_gets_its_passages_in_its_order_though_two_of_three_retrievers_fail() throws IOException {
        AtomicInteger failing = new AtomicInteger();
        AtomicInteger sound = new AtomicInteger();
        Contexts contexts = contexts(
                2, retriever(503, "{}", failing), URI.create("http://127.0.0.1:1"), retriever(200, HIT, sound));
        List<SetMember> found = new ArrayList<>();
        try (Contexts.Prefetch prefetch = contexts.prefetch("t", members(50), 5)) {
            prefetch.forEachRemaining(found::add);
        }
        assertThat(found)
                .extracting(member -> member.example().id())
                .containsExactlyElementsOf(members(50).stream()
                        .map(member -> member.example().id())
                        .toList());
        assertThat(found).allMatch(member -> member.example().contexts().equals(List.of("found")));
        assertThat(sound.get()).isEqualTo(50);
        assertThat(failing.get()).as("one that failed rests").isBetween(1, 6);
    }

    @Test
    void it_fetches_ahead_of_whoever_takes_but_not_without_end() throws IOException {
        AtomicInteger asked = new AtomicInteger();
        try (Contexts.Prefetch prefetch =
                contexts(2, retriever(200, HIT, asked)).prefetch("t", members(100), 5)) {
            await().atMost(LIMIT).until(() -> asked.get() == 8);
            prefetch.next();
            await().atMost(LIMIT).until(() -> asked.get() == 9);
            assertThat(prefetch.hasNext()).isTrue();
        }
    }

    @Test
    void all_retrievers_share_the_work() throws IOException {
        AtomicInteger[] asked = {new AtomicInteger(), new AtomicInteger()};
        Contexts contexts = contexts(4, retriever(200, HIT, asked[0]), retriever(200, HIT, asked[1]));
        try (Contexts.Prefetch prefetch = contexts.prefetch("t", members(200), 5)) {
            prefetch.forEachRemaining(unused -> {});
        }
        assertThat(asked[0].get() + asked[1].get()).isEqualTo(200);
        assertThat(asked[1].get()).isGreaterThan(20);
    }

    @Test
    void what_one_refuses_is_not_asked_of_another_and_what_all_fail_at_is_said() throws IOException {
        AtomicInteger second = new AtomicInteger();
        Contexts refusing = contexts(
                1,
                retriever(
                        400,
                        "{\"type\": \"urn:tsumugi:problem:query-empty\", \"detail\": \"no\"}",
                        new AtomicInteger()),
                retriever(200, HIT, second));
        try (Contexts.Prefetch prefetch = refusing.prefetch("t", members(1), 5)) {
            assertThatThrownBy(prefetch::next).isInstanceOf(ProblemException.class);
        }
        assertThat(second.get()).isZero();
        Contexts failing = contexts(1, retriever(500, "{}", new AtomicInteger()), URI.create("http://127.0.0.1:1"));
        try (Contexts.Prefetch prefetch = failing.prefetch("t", members(1), 5)) {
            assertThatThrownBy(prefetch::next).isInstanceOfAny(ProblemException.class, ResourceAccessException.class);
        }
    }
}
