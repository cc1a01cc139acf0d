package dev.tsumugi.gateway;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

class ProblemsIT {
    private RunningGateway gateway;

    @BeforeEach
    void start() {
        gateway = RunningGateway.shared();
    }

    private static JsonNode assertProblem(HttpResponse<String> response, int status, String kind) {
        assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
        assertThat(response.headers().firstValue("Content-Type").orElse("")).startsWith("application/problem+json");
        JsonNode problem = RunningGateway.json(response);
        assertThat(problem.path("type").asString()).isEqualTo("urn:tsumugi:problem:" + kind);
        assertThat(problem.path("status").asInt()).isEqualTo(status);
        assertThat(problem.path("detail").asString()).isNotBlank();
        return problem;
    }

    @Test
    void an_unknown_address_is_a_404_problem() throws Exception {
        assertProblem(gateway.get("/api/v1/nothing"), 404, "not-found");
    }

    @Test
    void a_wrong_method_is_a_405_problem_that_lists_the_right_ones() throws Exception {
        HttpResponse<String> response = gateway.get("/api/v1/search");
        assertProblem(response, 405, "method-not-allowed");
        assertThat(response.headers().firstValue("Allow")).hasValue("POST");
    }

    @Test
    void a_wrong_content_type_is_a_415_problem() throws Exception {
        HttpResponse<String> response = gateway.send(gateway.request("/api/v1/ask")
                .header("Content-Type", "text/plain")
                .POST(BodyPublishers.ofString("why?")));
        assertProblem(response, 415, "unsupported-media-type");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"question\":",
                "not json",
                "{\"question\":\"a\"} trailing",
            })
    void malformed_json_is_a_400_problem(String body) throws Exception {
        assertProblem(gateway.post("/api/v1/ask", body), 400, "malformed-json");
    }

    @Test
    void an_empty_body_is_a_400_problem() throws Exception {
        assertProblem(gateway.post("/api/v1/ask", ""), 400, "malformed-json");
    }

    @Test
    void json_that_nests_too_deep_is_refused() throws Exception {
        String deep = "[".repeat(1000) + "]".repeat(1000);
        assertThat(gateway.post("/api/v1/ask", "{\"history\":" + deep + "}").statusCode())
                .isEqualTo(400);
        HttpResponse<String> openAi = gateway.post("/v1/embeddings", "{\"input\":" + deep + "}");
        assertThat(openAi.statusCode()).isEqualTo(400);
        assertThat(RunningGateway.json(openAi).path("error").path("type").asString())
                .isEqualTo("invalid_request_error");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "/api/v1/ask | {} | question",
                "/api/v1/ask | {\"question\":\"  \"} | question",
                "/api/v1/ask | {\"question\":\"a\",\"limit\":0} | limit",
                "/api/v1/ask | {\"question\":\"a\",\"limit\":21} | limit",
                "/api/v1/ask | {\"question\":\"a\",\"limit\":\"many\"} | limit",
                "/api/v1/ask | {\"question\":\"a\",\"adapter\":\"\"} | adapter",
                "/api/v1/ask | {\"question\":\"a\",\"history\":[{\"role\":\"system\",\"content\":\"x\"}]} | history[0].role",
                "/api/v1/ask | {\"question\":\"a\",\"history\":[{\"role\":\"user\"}]} | history[0].content",
                "/api/v1/ask | {\"question\":\"a\",\"tempo\":1} | tempo",
                "/api/v1/search | {\"limit\":3} | query",
                "/api/v1/search | {\"query\":\"a\",\"limit\":101} | limit",
                "/api/v1/search | {\"query\":\"a\",\"mode\":\"psychic\"} | mode",
                "/api/v1/search | {\"query\":\"a\",\"filter\":{\"team\":\"\"}} | filter.team",
            })
    void a_broken_rule_names_its_field(String path, String body, String field) throws Exception {
        JsonNode problem = assertProblem(gateway.post(path, body), 400, "invalid-field");
        assertThat(problem.path("field").asString()).isEqualTo(field);
        assertThat(problem.path("detail").asString()).startsWith(field);
    }

    @Test
    void a_question_that_is_too_long_is_refused_with_the_limit() throws Exception {
        JsonNode problem = assertProblem(
                gateway.post("/api/v1/ask", "{\"question\":\"" + "x".repeat(4001) + "\"}"), 400, "invalid-field");
        assertThat(problem.path("detail").asString()).contains("4000", "4001");
    }

    @Test
    void an_address_that_no_client_means_is_a_400_problem() throws Exception {
        assertProblem(gateway.get("/api/v1/documents//a"), 400, "malformed-address");
        assertProblem(gateway.get("/api/v1/documents/a%00b"), 400, "malformed-request");
    }

    @Test
    void an_empty_id_is_refused() throws Exception {
        assertProblem(gateway.get("/api/v1/documents/"), 400, "invalid-field");
    }

    @Test
    void what_a_service_refuses_comes_through() throws Exception {
        gateway.ingest.on("GET /internal/documents/a", 404, """
                {"type":"urn:tsumugi:problem:document-unknown","title":"Not Found","status":404,"detail":"There is no document 'a'."}""");
        JsonNode problem = assertProblem(gateway.get("/api/v1/documents/a"), 404, "document-unknown");
        assertThat(problem.path("detail").asString()).isEqualTo("There is no document 'a'.");
    }

    @Test
    void a_service_that_refuses_the_gateway_itself_is_not_the_callers_fault() throws Exception {
        gateway.ingest.on("GET /internal/documents/a", 401, """
                {"type":"urn:tsumugi:problem:internal-token","title":"Unauthorized","status":401,"detail":"no"}""");
        JsonNode problem = assertProblem(gateway.get("/api/v1/documents/a"), 502, "service-error");
        assertThat(problem.path("detail").asString()).contains("ingest", "TSUMUGI_INTERNAL_TOKEN");
    }

    @Test
    void an_unexpected_failure_of_a_service_is_a_502_with_its_log_reference() throws Exception {
        gateway.retriever.on("POST /internal/search", 500, """
                {"type":"urn:tsumugi:problem:internal-error","title":"Error","status":500,"detail":"see the log under 42"}""");
        JsonNode problem = assertProblem(gateway.post("/api/v1/search", "{\"query\":\"a\"}"), 502, "service-error");
        assertThat(problem.path("detail").asString()).contains("retriever", "42");
    }

    @Test
    void what_is_not_built_yet_says_so() throws Exception {
        gateway.trainer.on("POST /internal/training/jobs", 501, """
                {"type":"urn:tsumugi:problem:not-built","title":"Not Implemented","status":501,"detail":"Not yet."}""");
        assertProblem(gateway.post("/api/v1/training/jobs", "{}"), 501, "not-built");
    }

    @Test
    void calls_for_the_trainer_arrive_as_they_were_sent() throws Exception {
        gateway.trainer.on("GET /internal/adapters/a%20b/x", 200, "{\"ok\":true}");
        HttpResponse<String> response = gateway.get("/api/v1/adapters/a%20b/x?verbose=true");
        assertThat(response.statusCode()).isEqualTo(200);
        assertThat(response.body()).isEqualTo("{\"ok\":true}");
        assertThat(gateway.trainer.last().target()).isEqualTo("/internal/adapters/a%20b/x?verbose=true");
        gateway.trainer.on(
                "POST /internal/feedback",
                exchange -> StandInService.answer(
                        exchange,
                        202,
                        "text/plain",
                        new String(exchange.getRequestBody().readAllBytes())));
        HttpResponse<String> feedback = gateway.post("/api/v1/feedback", "{\"helpful\":true}");
        assertThat(feedback.statusCode()).isEqualTo(202);
        assertThat(feedback.body()).isEqualTo("{\"helpful\":true}");
    }

    @Test
    void a_service_that_is_down_is_a_503_that_says_when_to_come_again() throws Exception {
        StandInService gone = new StandInService();
        String url = gone.url();
        gone.close();
        try (var context = GatewayApplication.start(java.util.Map.of(
                "server.port",
                "0",
                "tsumugi.internal-token",
                RunningGateway.INTERNAL_TOKEN,
                "tsumugi.gateway.admin-key-file",
                gateway.context.getEnvironment().getRequiredProperty("tsumugi.gateway.admin-key-file"),
                "tsumugi.gateway.ingest-url",
                url,
                "tsumugi.gateway.retriever-url",
                url,
                "tsumugi.gateway.generator-url",
                url))) {
            int port = ((org.springframework.boot.web.server.servlet.context.ServletWebServerApplicationContext)
                            context)
                    .getWebServer()
                    .getPort();
            for (String path : List.of("/api/v1/documents", "/v1/models")) {
                HttpResponse<String> response = gateway.http.send(
                        java.net.http.HttpRequest.newBuilder(java.net.URI.create("http://127.0.0.1:" + port + path))
                                .header("Authorization", "Bearer " + RunningGateway.KEY)
                                .build(),
                        HttpResponse.BodyHandlers.ofString());
                assertThat(response.statusCode()).isEqualTo(503);
                assertThat(response.headers().firstValue("Retry-After")).hasValue("5");
            }
        }
    }
}
