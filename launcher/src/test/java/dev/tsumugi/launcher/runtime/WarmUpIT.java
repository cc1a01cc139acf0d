package dev.tsumugi.launcher.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class WarmUpIT {
    private final List<String> searches = new CopyOnWriteArrayList<>();
    private final AtomicInteger status = new AtomicInteger(200);
    private HttpServer gateway;

    @BeforeEach
    void listen() throws IOException {
        gateway = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        gateway.createContext("/api/v1/search", exchange -> {
            try (exchange) {
                searches.add(exchange.getRequestHeaders().getFirst("Authorization") + " "
                        + new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
                exchange.sendResponseHeaders(status.get(), -1);
            }
        });
        gateway.start();
    }

    @AfterEach
    void close() {
        gateway.stop(0);
    }

    @Test
    void each_search_asks_another_question_with_the_key_of_the_platform() {
        new WarmUp(gateway.getAddress().getPort(), "tsu_key", Duration.ofMinutes(1)).search();
        assertThat(searches)
                .hasSizeGreaterThan(1)
                .doesNotHaveDuplicates()
                .allMatch(search -> search.startsWith("Bearer tsu_key {\"query\":"));
    }

    @Test
    void what_is_refused_or_not_answered_ends_it_and_not_the_start() {
        status.set(503);
        new WarmUp(gateway.getAddress().getPort(), "tsu_key", Duration.ofMinutes(1)).search();
        assertThat(searches).hasSize(1);
        gateway.stop(0);
        new WarmUp(gateway.getAddress().getPort(), "tsu_key", Duration.ofMinutes(1)).search();
        assertThat(searches).hasSize(1);
    }
}
