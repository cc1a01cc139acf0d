package dev.tsumugi.engine.constrain;

import java.util.List;
import java.util.Random;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Schemas with every keyword that is understood, in all combinations that mean something. */
final class RandomSchemas {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final List<String> NAMES =
            List.of("a", "ab", "abc", "name", "名前", "say \"hi\"", "back\\slash", "é", "");
    private static final List<String> PATTERNS = List.of(
            "^[a-c]{2,4}$",
            "x",
            "^(ab|a)*$",
            "[0-9]+$",
            "^\\S+ \\S+$",
            "^[ぁ-ん]{1,3}$",
            "^\"\\\\\\n",
            "^a|b$",
            "^.{0,5}$");

    private final Random random;

    RandomSchemas(Random random) {
        this.random = random;
    }

    ObjectNode any() {
        ObjectNode root = object(3);
        ObjectNode definitions = root.putObject("$defs");
        definitions.set("word", string());
        ObjectNode list = definitions.putObject("list").put("type", "object");
        JsonNode head = value(0);
        while (head.path("$ref").asString("").endsWith("list")) {
            // A list that must hold a list has no end.
            head = value(0);
        }
        list.putObject("properties").set("head", head);
        ((ObjectNode) list.get("properties"))
                .putObject("tail")
                .putArray("anyOf")
                .add(JSON.createObjectNode().put("type", "null"))
                .add(JSON.createObjectNode().put("$ref", "#/$defs/list"));
        list.putArray("required").add("head").add("tail");
        return root;
    }

    private JsonNode value(int depth) {
        return switch (random.nextInt(depth > 0 ? 13 : 10)) {
            case 0, 1 -> string();
            case 2 -> integer();
            case 3 -> number();
            case 4 -> JSON.createObjectNode().put("type", "boolean");
            case 5 ->
                JSON.createObjectNode()
                        .set(
                                "type",
                                JSON.createArrayNode()
                                        .add("null")
                                        .add("integer")
                                        .add("string"));
            case 6 -> values();
            case 7 -> JSON.createObjectNode().put("$ref", random.nextBoolean() ? "#/$defs/word" : "#/$defs/list");
            case 8 -> JSON.createObjectNode().put("description", "anything");
            case 9 -> number().put("type", "integer");
            case 10 -> object(depth - 1);
            case 11 -> array(depth - 1);
            default -> {
                ObjectNode choice = JSON.createObjectNode();
                ArrayNode alternatives = choice.putArray(random.nextBoolean() ? "anyOf" : "oneOf");
                if (choice.has("anyOf")) {
                    alternatives.add(value(depth - 1)).add(value(depth - 1));
                } else {
                    alternatives.add(string()).add(integer()).add(array(0));
                    for (String kind : List.of("cat", "dog")) {
                        ObjectNode alternative = object(0);
                        ((ObjectNode) alternative.get("properties"))
                                .putObject("kind")
                                .put("const", kind);
                        ((ArrayNode) alternative.get("required")).add("kind");
                        alternatives.add(alternative);
                    }
                }
                yield choice;
            }
        };
    }

    private ObjectNode object(int depth) {
        ObjectNode schema = JSON.createObjectNode().put("type", "object");
        ObjectNode properties = schema.putObject("properties");
        ArrayNode required = schema.putArray("required");
        int count = random.nextInt(4);
        for (int i = 0; i < count; i++) {
            String name = NAMES.get(random.nextInt(NAMES.size()));
            if (!properties.has(name)) {
                properties.set(name, value(depth));
                if (random.nextBoolean()) {
                    required.add(name);
                }
            }
        }
        switch (random.nextInt(5)) {
            case 0 -> schema.put("additionalProperties", true);
            case 1 -> schema.set("additionalProperties", integer());
            case 2 -> schema.put("additionalProperties", false);
            default -> {}
        }
        if (!schema.path("additionalProperties").isBoolean() && random.nextInt(4) == 0) {
            required.add("extra");
        }
        return schema;
    }

    private ObjectNode array(int depth) {
        ObjectNode schema = JSON.createObjectNode().put("type", "array");
        boolean tuple = random.nextInt(3) == 0;
        if (tuple) {
            schema.putArray("prefixItems").add(string()).add(integer());
        }
        if (tuple && random.nextBoolean()) {
            schema.put("items", false);
        } else {
            schema.set("items", value(depth));
            if (random.nextBoolean()) {
                schema.put("minItems", random.nextInt(3));
            }
            if (random.nextBoolean()) {
                schema.put("maxItems", 2 + random.nextInt(3));
            }
        }
        return schema;
    }

    private ObjectNode string() {
        ObjectNode schema = JSON.createObjectNode().put("type", "string");
        switch (random.nextInt(5)) {
            case 0 -> schema.put("pattern", PATTERNS.get(random.nextInt(PATTERNS.size())));
            case 1 -> {
                // The validator knows all top-level domains and wants one of those in an email.
                List<String> formats = StringFormats.names().stream()
                        .filter(name -> !name.equals("email"))
                        .toList();
                schema.put("format", formats.get(random.nextInt(formats.size())));
            }
            case 2 -> schema.put("pattern", "[a-zあ]+").put("minLength", 2).put("maxLength", 6);
            case 3 -> schema.put("minLength", random.nextInt(4)).put("maxLength", 4 + random.nextInt(5));
            default -> {}
        }
        return schema;
    }

    private ObjectNode integer() {
        return number().put("type", "integer");
    }

    private ObjectNode number() {
        ObjectNode schema = JSON.createObjectNode().put("type", "number");
        double low = decimal();
        if (random.nextBoolean()) {
            schema.put(random.nextBoolean() ? "minimum" : "exclusiveMinimum", low);
        }
        if (random.nextBoolean()) {
            schema.put(random.nextBoolean() ? "maximum" : "exclusiveMaximum", low + 1.5 + Math.abs(decimal()));
        }
        return schema;
    }

    private double decimal() {
        double[] scales = {1, 10, 0.01, 1000, 123456.789};
        return Math.rint((random.nextDouble() - 0.5) * 2000) / 8 * scales[random.nextInt(scales.length)];
    }

    private JsonNode values() {
        ObjectNode schema = JSON.createObjectNode();
        if (random.nextBoolean()) {
            return schema.set("const", JSON.readTree("{\"k\": [1, 2.5, null, \"v\\n\"], \"l\": {}}"));
        }
        schema.putArray("enum")
                .add("red")
                .add("re")
                .add("日本")
                .add(7)
                .add(false)
                .addNull()
                .add("q\"\\");
        return schema;
    }
}
