package dev.tsumugi.gateway.openai;

import dev.tsumugi.contracts.api.EmbedRequest;
import dev.tsumugi.contracts.api.EmbedResponse;
import dev.tsumugi.gateway.errors.Checks;
import dev.tsumugi.gateway.errors.Problems;
import dev.tsumugi.platform.web.Caller;
import dev.tsumugi.platform.web.ProblemException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.springframework.http.MediaType;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.JsonNode;

/** OpenAI's embeddings call, with {@code input_type} ({@code query} or {@code passage}) beside what OpenAI has. */
@RestController
class EmbeddingsController {
    private static final int MAX_TEXTS = 2048;
    private static final int MAX_TEXT_LENGTH = 200_000;

    private final EmbeddingModel model;

    EmbeddingsController(EmbeddingModel model) {
        this.model = model;
    }

    @PostMapping(path = "/v1/embeddings", consumes = MediaType.APPLICATION_JSON_VALUE)
    Map<String, Object> embed(@RequestBody JsonNode body, Caller caller) {
        if (!body.isObject()) {
            throw Problems.badRequest("malformed-json", "The body must be a JSON object.");
        }
        List<String> texts = texts(body.path("input"));
        boolean base64 = base64(body.path("encoding_format"));
        EmbedRequest.Kind kind = kind(body.path("input_type"));
        String wanted = Checks.text("model", body.path("model").asString(""), 200);
        EmbeddingModel.Description known = model.describe(caller);
        if (!wanted.equals(known.name())) {
            throw unknownModel(wanted, known.name());
        }
        JsonNode dimensions = body.path("dimensions");
        if (!dimensions.isMissingNode()
                && !dimensions.isNull()
                && !(dimensions.isInt() && dimensions.intValue() == known.dimensions())) {
            throw Problems.field("dimensions", "must be " + known.dimensions() + " or absent for this model");
        }
        EmbedResponse embedded = model.embed(kind, texts, caller);
        List<Map<String, Object>> data = new ArrayList<>(texts.size());
        for (int i = 0; i < texts.size(); i++) {
            float[] vector = embedded.vectors().get(i);
            data.add(Map.of("object", "embedding", "index", i, "embedding", base64 ? encoded(vector) : vector));
        }
        return Map.of(
                "object",
                "list",
                "model",
                embedded.model(),
                "data",
                data,
                "usage",
                Map.of("prompt_tokens", embedded.tokens(), "total_tokens", embedded.tokens()));
    }

    static ProblemException unknownModel(String wanted, String known) {
        ProblemException problem = ProblemException.notFound(
                "model-not-found", "There is no embedding model '" + wanted + "' here; use '" + known + "'.");
        problem.getBody().setProperty(Problems.FIELD, "model");
        return problem;
    }

    private static List<String> texts(JsonNode input) {
        if (input.isString()) {
            return List.of(Checks.text("input", input.stringValue(), MAX_TEXT_LENGTH));
        }
        if (!input.isArray() || input.isEmpty()) {
            throw Problems.field("input", "must be a string or a non-empty array of strings");
        }
        if (input.size() > MAX_TEXTS) {
            throw Problems.field("input", "must have at most " + MAX_TEXTS + " strings, but has " + input.size());
        }
        List<String> texts = new ArrayList<>(input.size());
        for (JsonNode element : input) {
            if (element.isNumber() || element.isArray()) {
                throw Problems.field(
                        "input", "must be text: arrays of token numbers belong to one tokenizer and are not taken");
            }
            if (!element.isString()) {
                throw Problems.field("input", "must be a string or a non-empty array of strings");
            }
            texts.add(Checks.text("input[" + texts.size() + "]", element.stringValue(), MAX_TEXT_LENGTH));
        }
        return texts;
    }

    private static boolean base64(JsonNode format) {
        return switch (format.isMissingNode() || format.isNull() ? "float" : format.asString("")) {
            case "float" -> false;
            case "base64" -> true;
            default -> throw Problems.field("encoding_format", "must be 'float' or 'base64'");
        };
    }

    private static EmbedRequest.Kind kind(JsonNode type) {
        return switch (type.isMissingNode() || type.isNull() ? "passage" : type.asString("")) {
            case "passage" -> EmbedRequest.Kind.PASSAGE;
            case "query" -> EmbedRequest.Kind.QUERY;
            default -> throw Problems.field("input_type", "must be 'query' or 'passage'");
        };
    }

    /** Little-endian 32-bit floats, as OpenAI encodes them. */
    private static String encoded(float[] vector) {
        ByteBuffer bytes = ByteBuffer.allocate(vector.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(vector);
        return Base64.getEncoder().encodeToString(bytes.array());
    }
}
