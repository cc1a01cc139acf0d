package dev.tsumugi.gateway;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

class AccessIT {
    private static final String PAGE = "{\"documents\":[],\"total\":0}";

    private RunningGateway gateway;

    @BeforeEach
    void start() {
        gateway = RunningGateway.shared();
        gateway.ingest.on("GET /internal/documents", 200, PAGE);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"/", "/page/main.js", "/page/style.css", "/page/icon.svg", "/actuator/health", "/v3/api-docs"})
    void the_page_the_health_and_the_description_are_public(String path) throws Exception {
        assertThat(gateway.send(gateway.anonymous(path)).statusCode()).isEqualTo(200);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/api/v1/documents",
                "/api/v1/anything",
                "/actuator/prometheus",
                "/actuator/env",
                "/internal/documents",
                "/page/sub/main.js",
                "/error"
            })
    void everything_else_needs_a_key(String path) throws Exception {
        HttpResponse<String> response = gateway.send(gateway.anonymous(path));
        assertThat(response.statusCode()).isEqualTo(401);
        assertThat(response.headers().firstValue("Content-Type")).hasValue("application/problem+json");
        assertThat(RunningGateway.json(response).path("type").asString()).isEqualTo("urn:tsumugi:problem:unauthorized");
    }

    @ParameterizedTest
    @ValueSource(strings = {"/page/../api/v1/documents", "/page/..%2fapi/v1/documents", "/%2e%2e/api/v1/documents"})
    void no_detour_leads_past_the_key(String path) throws Exception {
        assertThat(gateway.send(gateway.anonymous(path)).statusCode()).isIn(400, 401, 404);
        assertThat(gateway.ingest.calls()).isZero();
    }

    @Test
    void a_wrong_key_is_refused_in_the_shape_of_the_called_interface() throws Exception {
        HttpResponse<String> own =
                gateway.send(gateway.anonymous("/api/v1/documents").header("Authorization", "Bearer wrong"));
        assertThat(own.statusCode()).isEqualTo(401);
        assertThat(own.headers().firstValue("WWW-Authenticate")).hasValue("Bearer");
        assertThat(own.body()).contains("urn:tsumugi:problem:unauthorized").doesNotContain("wrong");

        HttpResponse<String> openAi =
                gateway.send(gateway.anonymous("/v1/models").header("Authorization", "Bearer wrong"));
        assertThat(openAi.statusCode()).isEqualTo(401);
        JsonNode error = RunningGateway.json(openAi).path("error");
        assertThat(error.path("code").asString()).isEqualTo("invalid_api_key");
        assertThat(error.path("message").asString()).isNotBlank();
    }

    @Test
    void health_tells_strangers_no_details() throws Exception {
        assertThat(gateway.send(gateway.anonymous("/actuator/health")).body()).doesNotContain("diskSpace");
    }

    @Test
    void the_admin_sees_all_documents_of_the_default_tenant() throws Exception {
        assertThat(gateway.get("/api/v1/documents").statusCode()).isEqualTo(200);
        var headers = gateway.ingest.last().headers();
        assertThat(headers.getFirst("X-Tsumugi-Tenant")).isEqualTo("default");
        assertThat(headers.getFirst("X-Tsumugi-Principals")).isEqualTo("*");
        assertThat(headers.getFirst("X-Tsumugi-Internal-Token")).isEqualTo(RunningGateway.INTERNAL_TOKEN);
        assertThat(headers).doesNotContainKey("Authorization");
    }

    @Test
    void the_admin_may_act_for_others_with_what_they_may_see() throws Exception {
        gateway.send(gateway.request("/api/v1/documents")
                .header("X-Tsumugi-Tenant", "sales")
                .header("X-Tsumugi-Principals", "alice,group%3Aeast"));
        var headers = gateway.ingest.last().headers();
        assertThat(headers.getFirst("X-Tsumugi-Tenant")).isEqualTo("sales");
        assertThat(headers.getFirst("X-Tsumugi-Principals")).isEqualTo("alice,group%3Aeast");
    }

    @Test
    void nobody_acts_for_others_without_the_key() throws Exception {
        HttpResponse<String> response =
                gateway.send(gateway.anonymous("/api/v1/documents").header("X-Tsumugi-Principals", "*"));
        assertThat(response.statusCode()).isEqualTo(401);
    }

    @Test
    void a_malformed_tenant_is_named() throws Exception {
        HttpResponse<String> response =
                gateway.send(gateway.request("/api/v1/documents").header("X-Tsumugi-Tenant", "a/b"));
        assertThat(response.statusCode()).isEqualTo(400);
        assertThat(RunningGateway.json(response).path("field").asString()).isEqualTo("X-Tsumugi-Tenant");
    }

    @Test
    void the_internal_token_from_outside_opens_nothing_and_goes_nowhere() throws Exception {
        HttpResponse<String> stranger = gateway.send(gateway.anonymous("/api/v1/documents")
                .header("X-Tsumugi-Internal-Token", RunningGateway.INTERNAL_TOKEN));
        assertThat(stranger.statusCode()).isEqualTo(401);
        gateway.send(gateway.request("/api/v1/documents").header("X-Tsumugi-Internal-Token", "forged"));
        assertThat(gateway.ingest.last().headers().get("X-Tsumugi-Internal-Token"))
                .containsExactly(RunningGateway.INTERNAL_TOKEN);
    }

    @Test
    void the_page_may_only_load_what_the_gateway_serves() throws Exception {
        HttpResponse<String> page = gateway.send(gateway.anonymous("/"));
        assertThat(page.headers().firstValue("Content-Security-Policy").orElseThrow())
                .contains("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'")
                .doesNotContain("unsafe");
        assertThat(page.headers().firstValue("X-Content-Type-Options")).hasValue("nosniff");
        assertThat(page.headers().firstValue("Referrer-Policy")).hasValue("no-referrer");
        assertThat(page.headers().firstValue("Set-Cookie")).isEmpty();
        assertThat(page.body()).contains("<title>Tsumugi</title>").doesNotContain("http://", "https://");
    }

    @Test
    void a_body_over_the_limit_is_refused_with_and_without_a_declared_length() throws Exception {
        String large = "{\"query\":\"" + "x".repeat(100_000) + "\"}";
        HttpResponse<String> declared = gateway.post("/api/v1/search", large);
        assertThat(declared.statusCode()).isEqualTo(413);
        assertThat(RunningGateway.json(declared).path("type").asString()).isEqualTo("urn:tsumugi:problem:too-large");
        HttpResponse<String> chunked = gateway.send(gateway.request("/api/v1/search")
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.fromPublisher(BodyPublishers.ofString(large))));
        assertThat(chunked.statusCode()).isEqualTo(413);
    }
}
