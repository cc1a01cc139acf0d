package dev.tsumugi.gateway;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URI;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.MapConfigurationPropertySource;
import org.springframework.util.unit.DataSize;

class GatewayPropertiesTests {
    private static final Map<String, String> REQUIRED = Map.of(
            "tsumugi.gateway.admin-key-file", "/keys/admin",
            "tsumugi.gateway.ingest-url", "http://ingest:1",
            "tsumugi.gateway.embed-url", "http://embed:2",
            "tsumugi.gateway.retriever-url", "http://retriever:3",
            "tsumugi.gateway.generator-url", "http://generator:4",
            "tsumugi.gateway.trainer-url", "http://trainer:5");

    private static GatewayProperties bind(Map<String, String> more) {
        Map<String, String> all = new HashMap<>(REQUIRED);
        all.putAll(more);
        return new Binder(new MapConfigurationPropertySource(all))
                .bind("tsumugi.gateway", GatewayProperties.class)
                .get();
    }

    @Test
    void limits_have_defaults() {
        GatewayProperties properties = bind(Map.of());
        assertThat(properties.maxUpload()).isEqualTo(DataSize.ofMegabytes(100));
        assertThat(properties.maxUploadRequest()).isEqualTo(DataSize.ofGigabytes(1));
        assertThat(properties.maxBody()).isEqualTo(DataSize.ofMegabytes(1));
        assertThat(properties.maxOpenAiBody()).isEqualTo(DataSize.ofMegabytes(16));
        assertThat(properties.maxQuestionLength()).isEqualTo(4000);
        assertThat(properties.maxConcurrentAnswers()).isEqualTo(64);
        assertThat(properties.heartbeat()).isEqualTo(Duration.ofSeconds(5));
    }

    @Test
    void everything_can_be_set() {
        GatewayProperties properties = bind(Map.of(
                "tsumugi.gateway.max-upload", "1KB",
                "tsumugi.gateway.max-upload-request", "2KB",
                "tsumugi.gateway.max-body", "3KB",
                "tsumugi.gateway.max-open-ai-body", "4KB",
                "tsumugi.gateway.max-question-length", "5",
                "tsumugi.gateway.max-concurrent-answers", "6",
                "tsumugi.gateway.heartbeat", "7s"));
        assertThat(properties)
                .isEqualTo(new GatewayProperties(
                        "/keys/admin",
                        URI.create("http://ingest:1"),
                        URI.create("http://embed:2"),
                        URI.create("http://retriever:3"),
                        URI.create("http://generator:4"),
                        URI.create("http://trainer:5"),
                        DataSize.ofKilobytes(1),
                        DataSize.ofKilobytes(2),
                        DataSize.ofKilobytes(3),
                        DataSize.ofKilobytes(4),
                        5,
                        6,
                        Duration.ofSeconds(7)));
    }
}
