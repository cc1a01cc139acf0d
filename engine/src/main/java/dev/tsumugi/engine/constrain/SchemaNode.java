package dev.tsumugi.engine.constrain;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * One schema within a JSON Schema, with checked access to its keywords.
 *
 * @param path where it stands, as a JSON pointer with a leading {@code #}
 */
record SchemaNode(JsonNode json, String path) {
    private static final Set<String> UNDERSTOOD = Set.of(
            "type",
            "enum",
            "const",
            "properties",
            "required",
            "additionalProperties",
            "items",
            "prefixItems",
            "minItems",
            "maxItems",
            "uniqueItems",
            "minLength",
            "maxLength",
            "pattern",
            "format",
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "exclusiveMaximum",
            "minProperties",
            "maxProperties",
            "anyOf",
            "oneOf",
            "allOf",
            "$ref");

    /** Say nothing about which values are valid. */
    private static final Set<String> ANNOTATIONS = Set.of(
            "title",
            "description",
            "default",
            "examples",
            "example",
            "deprecated",
            "readOnly",
            "writeOnly",
            "$comment",
            "$schema",
            "$id",
            "$defs",
            "definitions",
            "discriminator",
            "contentMediaType",
            "contentEncoding");

    private static final int LARGEST_MAGNITUDE = 40;
    private static final int LONGEST_PATH = 2048;

    /** Kinds of JSON values. */
    enum Kind {
        OBJECT,
        ARRAY,
        STRING,
        INTEGER,
        NUMBER,
        BOOLEAN,
        NULL;

        String word() {
            return name().toLowerCase(java.util.Locale.ROOT);
        }
    }

    SchemaNode child(String... steps) {
        JsonNode node = json;
        StringBuilder at = new StringBuilder(path);
        for (String step : steps) {
            node = node.isArray() ? node.path(Integer.parseInt(step)) : node.path(step);
            at.append('/').append(step.replace("~", "~0").replace("/", "~1"));
        }
        // Each schema below has this path too, so one long name would be kept thousands of times.
        if (at.length() > LONGEST_PATH) {
            throw wrong("leads to a path of more than " + LONGEST_PATH + " characters; use shorter names, or $defs");
        }
        return new SchemaNode(node, at.toString());
    }

    boolean has(String keyword) {
        return json.has(keyword);
    }

    boolean isAlways(boolean value) {
        return json.isBoolean() && json.booleanValue() == value || value && json.isObject() && json.isEmpty();
    }

    /** @throws ConstraintException when it is no schema, or holds a keyword that constrains and is not understood */
    void check() {
        if (json.isBoolean()) {
            return;
        }
        if (!json.isObject()) {
            throw wrong("is no schema; a schema is an object, true or false");
        }
        for (String keyword : json.propertyNames()) {
            if (!UNDERSTOOD.contains(keyword) && !ANNOTATIONS.contains(keyword) && !keyword.startsWith("x-")) {
                throw wrong("uses " + keyword + ", which is not supported; " + instead(keyword));
            }
        }
        if (json.path("uniqueItems").asBoolean(false)) {
            throw wrong("uses uniqueItems, which is not supported; leave it out and check the answer");
        }
    }

    private static String instead(String keyword) {
        return switch (keyword) {
            case "patternProperties", "propertyNames" -> "name the properties, or use additionalProperties";
            case "not" -> "say what is allowed instead, with enum or anyOf";
            case "if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies" ->
                "write each case as one alternative of anyOf";
            case "nullable" -> "write \"type\": [..., \"null\"]";
            case "additionalItems" -> "use prefixItems and items";
            case "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef" ->
                "use $ref with a path such as #/$defs/name";
            default -> "leave it out and check the answer";
        };
    }

    /** Refuses everything beside {@code keyword} that constrains, because all keywords of a schema hold at once. */
    void checkAlone(String keyword, Set<String> allowed) {
        for (String other : json.propertyNames()) {
            if (UNDERSTOOD.contains(other) && !other.equals(keyword) && !allowed.contains(other)) {
                throw wrong("has " + other + " beside " + keyword + ", which is not supported; move " + other
                        + " into the schemas of " + keyword);
            }
        }
    }

    /** Kinds that {@code type} allows; without it, those that the other keywords speak of, or all. */
    Set<Kind> kinds() {
        JsonNode type = json.path("type");
        Set<Kind> kinds = EnumSet.noneOf(Kind.class);
        if (!type.isMissingNode()) {
            for (JsonNode word : type.isArray() ? type : List.of(type)) {
                kinds.add(kind(word));
            }
            if (kinds.isEmpty()) {
                throw wrong("has an empty type");
            }
            return kinds;
        }
        add(kinds, Kind.OBJECT, "properties", "required", "additionalProperties", "minProperties", "maxProperties");
        add(kinds, Kind.ARRAY, "items", "prefixItems", "minItems", "maxItems", "uniqueItems");
        add(kinds, Kind.STRING, "minLength", "maxLength", "pattern", "format");
        add(kinds, Kind.NUMBER, "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum");
        return kinds.isEmpty() ? EnumSet.complementOf(EnumSet.of(Kind.INTEGER)) : kinds;
    }

    private void add(Set<Kind> kinds, Kind kind, String... keywords) {
        for (String keyword : keywords) {
            if (has(keyword)) {
                kinds.add(kind);
            }
        }
    }

    private Kind kind(JsonNode word) {
        for (Kind kind : Kind.values()) {
            if (word.isString() && word.stringValue().equals(kind.word())) {
                return kind;
            }
        }
        throw wrong("has the type " + word + "; types are object, array, string, integer, number, boolean and null");
    }

    static Kind kindOf(JsonNode value) {
        return switch (value.getNodeType()) {
            case OBJECT -> Kind.OBJECT;
            case ARRAY -> Kind.ARRAY;
            case STRING -> Kind.STRING;
            case BOOLEAN -> Kind.BOOLEAN;
            case NUMBER -> isInteger(value) ? Kind.INTEGER : Kind.NUMBER;
            default -> Kind.NULL;
        };
    }

    private static boolean isInteger(JsonNode number) {
        return number.isIntegralNumber()
                || number.decimalValue().stripTrailingZeros().scale() <= 0;
    }

    /** The values of {@code enum} or {@code const} that {@code type} allows too, or null when there is neither. */
    @Nullable
    List<JsonNode> values() {
        JsonNode listed = json.path("enum");
        List<JsonNode> values = new ArrayList<>();
        if (has("const")) {
            checkAlone("const", Set.of("type"));
            values.add(json.path("const"));
        } else if (has("enum")) {
            checkAlone("enum", Set.of("type"));
            if (!listed.isArray() || listed.isEmpty()) {
                throw wrong("has an enum that is no list of values");
            }
            listed.forEach(values::add);
        } else {
            return null;
        }
        if (has("type")) {
            Set<Kind> kinds = kinds();
            values.removeIf(value ->
                    !kinds.contains(kindOf(value)) && !(kindOf(value) == Kind.INTEGER && kinds.contains(Kind.NUMBER)));
        }
        return values;
    }

    /** Schemas listed under {@code keyword}. */
    List<SchemaNode> list(String keyword) {
        JsonNode list = json.path(keyword);
        if (!list.isArray() || list.isEmpty()) {
            throw wrong("has " + keyword + " that is no list of schemas");
        }
        List<SchemaNode> schemas = new ArrayList<>();
        for (int i = 0; i < list.size(); i++) {
            schemas.add(child(keyword, Integer.toString(i)));
        }
        return schemas;
    }

    List<String> required() {
        JsonNode required = json.path("required");
        List<String> names = new ArrayList<>();
        if (!required.isMissingNode()) {
            if (!required.isArray()) {
                throw wrong("has required that is no list of names");
            }
            for (JsonNode name : required) {
                if (!name.isString()) {
                    throw wrong("has required that is no list of names");
                }
                names.add(name.stringValue());
            }
        }
        return names;
    }

    /** A count, {@code absent} when it is not there, and at most {@link Integer#MAX_VALUE}. */
    int count(String keyword, int absent) {
        JsonNode count = json.path(keyword);
        if (count.isMissingNode()) {
            return absent;
        }
        if (!count.isNumber() || !isInteger(count) || count.decimalValue().signum() < 0) {
            throw wrong("has " + keyword + " that is no count");
        }
        return count.decimalValue().min(BigDecimal.valueOf(Integer.MAX_VALUE)).intValue();
    }

    NumberRange range() {
        BigDecimal low = bound("minimum");
        BigDecimal above = bound("exclusiveMinimum");
        BigDecimal high = bound("maximum");
        BigDecimal below = bound("exclusiveMaximum");
        boolean lowIncluded = above == null || low != null && low.compareTo(above) > 0;
        boolean highIncluded = below == null || high != null && high.compareTo(below) < 0;
        return new NumberRange(lowIncluded ? low : above, lowIncluded, highIncluded ? high : below, highIncluded);
    }

    private @Nullable BigDecimal bound(String keyword) {
        JsonNode bound = json.path(keyword);
        if (bound.isMissingNode()) {
            return null;
        }
        if (!bound.isNumber()) {
            throw wrong("has " + keyword + " that is no number");
        }
        BigDecimal value = bound.decimalValue();
        if (Math.abs((long) value.precision() - value.scale()) > LARGEST_MAGNITUDE
                || Math.abs((long) value.scale()) > LARGEST_MAGNITUDE) {
            throw wrong("has " + keyword + " that is too large or too fine");
        }
        return value;
    }

    String text(String keyword) {
        JsonNode text = json.path(keyword);
        if (!text.isString()) {
            throw wrong("has " + keyword + " that is no string");
        }
        return text.stringValue();
    }

    ConstraintException wrong(String what) {
        return new ConstraintException("The schema at " + path + " " + what + ".");
    }
}
