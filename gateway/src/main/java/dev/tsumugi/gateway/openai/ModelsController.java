package dev.tsumugi.gateway.openai;

import dev.tsumugi.gateway.downstream.ServiceClient;
import dev.tsumugi.gateway.downstream.Services;
import dev.tsumugi.gateway.errors.Problems;
import dev.tsumugi.platform.web.Caller;
import dev.tsumugi.platform.web.ProblemException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.web.ErrorResponseException;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.client.RestClientException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The models of the generator, adapters among them, and the embedding model. */
@RestController
class ModelsController {
    private static final Logger log = LoggerFactory.getLogger(ModelsController.class);
    private static final JsonMapper JSON = JsonMapper.shared();

    private final ServiceClient generator;
    private final EmbeddingModel embeddingModel;

    ModelsController(Services services, EmbeddingModel embeddingModel) {
        this.generator = services.generator();
        this.embeddingModel = embeddingModel;
    }

    @GetMapping("/v1/models")
    Map<String, Object> list(Caller caller) {
        return Map.of("object", "list", "data", models(caller));
    }

    @GetMapping("/v1/models/{*id}")
    JsonNode get(@PathVariable String id, Caller caller) {
        String wanted = id.substring(1);
        return models(caller).stream()
                .filter(model -> wanted.equals(model.path("id").asString("")))
                .findFirst()
                .orElseThrow(() -> {
                    ProblemException problem = ProblemException.notFound(
                            "model-not-found", "There is no model '" + wanted + "' here; GET /v1/models lists them.");
                    problem.getBody().setProperty(Problems.FIELD, "model");
                    return problem;
                });
    }

    private List<JsonNode> models(Caller caller) {
        List<JsonNode> models = new ArrayList<>();
        generator.get("/internal/models", caller, JsonNode.class).path("data").forEach(models::add);
        try {
            models.add(JSON.valueToTree(Map.of(
                    "id",
                    embeddingModel.describe(caller).name(),
                    "object",
                    "model",
                    "created",
                    0,
                    "owned_by",
                    "tsumugi")));
        } catch (ErrorResponseException | RestClientException e) {
            log.warn("the list of models is without the embedding model: {}", e.getMessage());
        }
        return models;
    }
}
