package dev.tsumugi.generator.openai;

import dev.tsumugi.engine.sample.SamplingSettings;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpStatus;
import tools.jackson.databind.JsonNode;

/** Reads the fields of a request one by one, so that what is wrong is named with its field. Null counts as absent. */
final class RequestBodyReader {
    private static final int MAX_STOPS = 4;

    private final JsonNode body;

    RequestBodyReader(JsonNode body) {
        if (!body.isObject()) {
            throw OpenAiException.invalid("body", "The body must be a JSON object.");
        }
        this.body = body;
    }

    /** Refuses fields that are not in any of these sets. */
    @SafeVarargs
    final void checkFields(Set<String>... known) {
        for (String field : body.propertyNames()) {
            if (Arrays.stream(known).noneMatch(fields -> fields.contains(field))) {
                throw new OpenAiException(
                        HttpStatus.BAD_REQUEST, "Unknown parameter: '" + field + "'.", field, "unknown_parameter");
            }
        }
    }

    @Nullable
    JsonNode node(String field) {
        JsonNode node = body.get(field);
        return node == null || node.isNull() ? null : node;
    }

    @Nullable
    String text(String field) {
        JsonNode node = node(field);
        if (node == null) {
            return null;
        }
        if (!node.isString()) {
            throw OpenAiException.invalid(field, field + " must be a string.");
        }
        return node.stringValue();
    }

    boolean flag(String field) {
        JsonNode node = node(field);
        if (node == null) {
            return false;
        }
        if (!node.isBoolean()) {
            throw OpenAiException.invalid(field, field + " must be true or false.");
        }
        return node.booleanValue();
    }

    double number(String field, double absent, double min, double max) {
        JsonNode node = node(field);
        if (node == null) {
            return absent;
        }
        if (!node.isNumber() || node.doubleValue() < min || node.doubleValue() > max) {
            throw OpenAiException.invalid(field, field + " must be a number from " + min + " to " + max + ".");
        }
        return node.doubleValue();
    }

    int integer(String field, int absent, int min, int max) {
        JsonNode node = node(field);
        if (node == null) {
            return absent;
        }
        if (!node.isIntegralNumber() || !node.canConvertToInt() || node.intValue() < min || node.intValue() > max) {
            throw OpenAiException.invalid(field, field + " must be an integer from " + min + " to " + max + ".");
        }
        return node.intValue();
    }

    @Nullable
    Long seed() {
        JsonNode node = node("seed");
        if (node == null) {
            return null;
        }
        if (!node.isIntegralNumber() || !node.canConvertToLong()) {
            throw OpenAiException.invalid("seed", "seed must be an integer of 64 bits.");
        }
        return node.longValue();
    }

    List<String> stop() {
        JsonNode node = node("stop");
        if (node == null) {
            return List.of();
        }
        List<String> stops = new ArrayList<>();
        for (JsonNode element : node.isArray() ? node : List.of(node)) {
            if (!element.isString() || element.stringValue().isEmpty()) {
                throw OpenAiException.invalid("stop", "stop must be a string that is not empty, or a list of those.");
            }
            stops.add(element.stringValue());
        }
        if (stops.size() > MAX_STOPS) {
            throw OpenAiException.invalid("stop", "stop can hold at most " + MAX_STOPS + " strings.");
        }
        return stops;
    }

    boolean includeUsage() {
        JsonNode options = node("stream_options");
        if (options == null) {
            return false;
        }
        if (!flag("stream")) {
            throw OpenAiException.invalid("stream_options", "stream_options needs stream to be true.");
        }
        JsonNode usage = options.path("include_usage");
        if (!options.isObject() || !usage.isMissingNode() && !usage.isBoolean()) {
            throw OpenAiException.invalid(
                    "stream_options", "stream_options must be an object whose include_usage is true or false.");
        }
        return usage.asBoolean(false);
    }

    /** Token ids as the names of numbers. */
    private Map<Integer, Float> logitBias() {
        JsonNode node = node("logit_bias");
        if (node == null) {
            return Map.of();
        }
        if (!node.isObject()) {
            throw OpenAiException.invalid("logit_bias", "logit_bias must be an object of token ids and numbers.");
        }
        Map<Integer, Float> biases = new HashMap<>();
        for (Map.Entry<String, JsonNode> entry : node.properties()) {
            double bias = entry.getValue().isNumber() ? entry.getValue().doubleValue() : Double.NaN;
            if (!entry.getKey().matches("[0-9]{1,9}") || !(Math.abs(bias) <= 100)) {
                throw OpenAiException.invalid(
                        "logit_bias", "logit_bias must hold token ids with numbers from -100 to 100.");
            }
            biases.put(Integer.valueOf(entry.getKey()), (float) bias);
        }
        return biases;
    }

    /** OpenAI's defaults: temperature 1, top_p 1, no penalties; top_k, min_p and repetition_penalty are common extensions. */
    SamplingSettings sampling() {
        SamplingSettings settings = SamplingSettings.atTemperature(number("temperature", 1, 0, 2))
                .withTopP(Math.max(number("top_p", 1, 0, 1), 1e-6))
                .withTopK(integer("top_k", 0, 0, Integer.MAX_VALUE))
                .withMinP(number("min_p", 0, 0, 1))
                .withPenalties(
                        number("repetition_penalty", 1, 0.01, 10),
                        number("frequency_penalty", 0, -2, 2),
                        number("presence_penalty", 0, -2, 2))
                .withLogitBias(logitBias());
        Long seed = seed();
        return seed == null ? settings : settings.withSeed(seed);
    }

    void refuse(String field, String reason) {
        JsonNode node = node(field);
        if (node != null && !(node.isContainer() && node.isEmpty()) && !(node.isBoolean() && !node.booleanValue())) {
            throw new OpenAiException(HttpStatus.BAD_REQUEST, reason, field, "unsupported_parameter");
        }
    }
}
