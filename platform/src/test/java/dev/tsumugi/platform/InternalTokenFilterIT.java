package dev.tsumugi.platform;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.web.server.context.WebServerApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Import;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RestController;

class InternalTokenFilterIT {
    private static final String TOKEN = "0123456789abcdef";

    private static ConfigurableApplicationContext service;

    @SpringBootConfiguration
    @EnableAutoConfiguration
    @Import({PlatformConfiguration.class, Things.class})
    static class TestService {}

    @RestController
    static class Things {
        @GetMapping("/internal/things/{*id}")
        String thing(@PathVariable String id) {
            return "thing " + id;
        }
    }

    @BeforeAll
    static void startService() {
        service = ServiceRunner.start(
                TestService.class, "test-service", Map.of("server.port", 0, "tsumugi.internal-token", TOKEN));
    }

    @AfterAll
    static void stopService() {
        service.close();
    }

    @ParameterizedTest
    @CsvSource({
        "/internal/things/a, 401",
        "/internal/things/../../a, 401",
        "/internal/things/..;/..;/a, 401",
        "/internal/things/..;/..;/actuator/health, 401",
        "/%69nternal/things/a, 401",
        "//internal/things/a, 401",
        "/actuator/health/../../internal/things/a, 401",
        "/actuator/health;x=/../../internal/things/a, 401",
        "/actuator/health, 200",
        "/actuator/health/liveness, 200",
    })
    void without_the_token_only_the_health_is_served(String address, int status) throws IOException {
        assertThat(statusOf(address, "")).isEqualTo(status);
    }

    @ParameterizedTest
    @CsvSource({"0123456789abcdef, 200", "0123456789abcdeF, 401"})
    void the_token_opens_the_rest(String token, int status) throws IOException {
        assertThat(statusOf("/internal/things/a", "X-Tsumugi-Internal-Token: " + token + "\r\n"))
                .isEqualTo(status);
    }

    /** By hand, because clients put addresses into normal form. */
    private static int statusOf(String address, String header) throws IOException {
        int port = ((WebServerApplicationContext) service).getWebServer().getPort();
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            String request =
                    "GET " + address + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + header + "\r\n";
            socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
            String line = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII))
                    .readLine();
            return Integer.parseInt(line.split(" ")[1]);
        }
    }
}
