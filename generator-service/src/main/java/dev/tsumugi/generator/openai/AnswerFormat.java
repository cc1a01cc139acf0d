package dev.tsumugi.generator.openai;

import dev.tsumugi.engine.constrain.Constraint;
import dev.tsumugi.engine.constrain.ConstraintException;
import dev.tsumugi.generator.model.ServedModel;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpStatus;
import tools.jackson.databind.JsonNode;

/**
 * The form that a request asks its answer to have: {@code response_format} of the OpenAI API, or {@code guided_regex}, an extension that vLLM
 * made common. A schema holds whether or not it is {@code strict}.
 */
final class AnswerFormat {
    private static final String FORMAT = "response_format";
    private static final String REGEX = "guided_regex";
    private static final Pattern NAME = Pattern.compile("[a-zA-Z0-9_-]{1,64}");

    private AnswerFormat() {}

    /** Null when any answer will do. */
    static @Nullable Constraint read(RequestBodyReader body, ServedModel served) {
        JsonNode format = body.node(FORMAT);
        String regex = body.text(REGEX);
        if (regex != null) {
            if (format != null) {
                throw OpenAiException.invalid(
                        REGEX, "guided_regex cannot stand beside response_format; use one of them.");
            }
            return compiled(
                    REGEX, "guided_regex: ", () -> served.model().constraints().regex(regex));
        }
        if (format == null) {
            return null;
        }
        return switch (format.path("type").asString("")) {
            case "text" -> null;
            case "json_object" -> served.model().constraints().jsonObject();
            case "json_schema" -> schema(format.path("json_schema"), served);
            default ->
                throw OpenAiException.invalid(
                        FORMAT + ".type", "response_format.type must be text, json_object or json_schema.");
        };
    }

    private static Constraint schema(JsonNode format, ServedModel served) {
        String name = format.path("name").asString("");
        if (!NAME.matcher(name).matches()) {
            throw OpenAiException.invalid(
                    FORMAT + ".json_schema.name",
                    "response_format.json_schema needs a name of 1 to 64 letters, digits, _ and -.");
        }
        JsonNode strict = format.path("strict");
        if (!strict.isMissingNode() && !strict.isNull() && !strict.isBoolean()) {
            throw OpenAiException.invalid(
                    FORMAT + ".json_schema.strict", "response_format.json_schema.strict must be true or false.");
        }
        JsonNode schema = format.path("schema");
        if (!schema.isObject()) {
            throw OpenAiException.invalid(
                    FORMAT + ".json_schema.schema", "response_format.json_schema needs a schema, an object.");
        }
        return compiled(
                FORMAT,
                "Invalid schema for response_format '" + name + "': ",
                () -> served.model().constraints().jsonSchema(schema.toString()));
    }

    private static Constraint compiled(String field, String prefix, Supplier<Constraint> compilation) {
        try {
            return compilation.get();
        } catch (ConstraintException e) {
            throw new OpenAiException(HttpStatus.BAD_REQUEST, prefix + e.getMessage(), field, "invalid_value");
        }
    }
}
