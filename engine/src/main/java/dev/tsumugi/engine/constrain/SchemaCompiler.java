package dev.tsumugi.engine.constrain;

import dev.tsumugi.engine.constrain.SchemaNode.Kind;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** Writes a JSON Schema into a network: every text that the network reads is valid. */
final class SchemaCompiler {
    private static final int MOST_COUNTED = 16_384;
    private static final int DEEPEST = 64;
    private static final int LONGEST_NAME = 256;
    private static final int MOST_PROPERTIES = 1000;

    private final JsonEdges out;
    private final SchemaReferences references;
    private final SchemaOverlap overlap;

    /** Rules of the schemas that are referred to, by path. */
    private final Map<String, Integer> rules = new HashMap<>();

    private final Deque<SchemaNode> toWrite = new ArrayDeque<>();
    private int depth;

    private SchemaCompiler(JsonNode root, JsonEdges out) {
        this.out = out;
        CompileBudget budget = new CompileBudget();
        references = new SchemaReferences(root, budget);
        overlap = new SchemaOverlap(references, budget);
    }

    /** @throws ConstraintException for what is wrong or not supported */
    static void write(JsonNode root, JsonEdges out, int source, int target) {
        SchemaCompiler compiler = new SchemaCompiler(root, out);
        out.call(compiler.rule(new SchemaNode(root, "#")), source, target);
        while (!compiler.toWrite.isEmpty()) {
            SchemaNode schema = compiler.toWrite.removeFirst();
            int rule = compiler.rule(schema);
            compiler.value(schema, out.start(rule), out.end(rule));
        }
    }

    private int rule(SchemaNode schema) {
        return rules.computeIfAbsent(schema.path(), path -> {
            toWrite.addLast(schema);
            return out.rule();
        });
    }

    private void value(SchemaNode schema, int source, int target) {
        if (++depth > DEEPEST) {
            throw schema.wrong("is nested more than " + DEEPEST + " deep; use $defs and $ref");
        }
        schema.check();
        if (schema.has("$ref")) {
            schema.checkAlone("$ref", Set.of());
            out.call(rule(references.target(schema)), source, target);
        } else if (schema.has("anyOf")) {
            schema.checkAlone("anyOf", Set.of());
            schema.list("anyOf").forEach(alternative -> value(alternative, source, target));
        } else if (schema.has("oneOf")) {
            schema.checkAlone("oneOf", Set.of());
            oneOf(schema, source, target);
        } else if (schema.has("allOf")) {
            schema.checkAlone("allOf", Set.of());
            List<SchemaNode> parts = schema.list("allOf");
            if (parts.size() > 1) {
                throw schema.wrong("has allOf of several schemas, which is not supported; write them as one");
            }
            value(parts.getFirst(), source, target);
        } else if (!schema.isAlways(false)) {
            List<JsonNode> values = schema.values();
            if (values != null) {
                values.forEach(value -> out.value(value, source, target));
            } else {
                schema.kinds().forEach(kind -> ofKind(kind, schema, source, target));
            }
        }
        depth--;
    }

    private void oneOf(SchemaNode schema, int source, int target) {
        List<SchemaNode> alternatives = schema.list("oneOf");
        for (int i = 0; i < alternatives.size(); i++) {
            for (int j = 0; j < i; j++) {
                if (!overlap.areDisjoint(alternatives.get(j), alternatives.get(i))) {
                    throw schema.wrong("has oneOf whose alternatives " + j + " and " + i
                            + " might both hold; use anyOf, or give each a required property with a const of its own");
                }
            }
        }
        alternatives.forEach(alternative -> value(alternative, source, target));
    }

    private void ofKind(Kind kind, SchemaNode schema, int source, int target) {
        switch (kind) {
            case OBJECT -> object(schema, source, target);
            case ARRAY -> array(schema, source, target);
            case STRING -> string(schema, source, target);
            case INTEGER -> out.regex(schema.range().integers(), source, target);
            case NUMBER -> {
                NumberRange range = schema.range();
                if (range.isUnbounded()) {
                    out.number(source, target);
                } else {
                    out.regex(range.decimals(), source, target);
                }
            }
            case BOOLEAN -> {
                out.text("true", source, target);
                out.text("false", source, target);
            }
            case NULL -> out.text("null", source, target);
        }
    }

    private void string(SchemaNode schema, int source, int target) {
        int min = schema.count("minLength", 0);
        if (min > MOST_COUNTED) {
            throw schema.wrong("has minLength " + min + "; at most " + MOST_COUNTED + " is supported");
        }
        int max = schema.has("maxLength") ? Math.min(schema.count("maxLength", 0), MOST_COUNTED) : Regex.UNLIMITED;
        Regex content = content(schema);
        if (content == null) {
            out.string(min, max, source, target);
        } else {
            out.string(content, min, max, source, target);
        }
    }

    private static @Nullable Regex content(SchemaNode schema) {
        if (schema.has("pattern") && schema.has("format")) {
            throw schema.wrong("has pattern beside format, which is not supported; write both as one pattern");
        }
        if (schema.has("pattern")) {
            try {
                return RegexParser.search(schema.text("pattern"));
            } catch (ConstraintException e) {
                throw new ConstraintException(
                        "In the pattern of the schema at " + schema.path() + ": " + e.getMessage());
            }
        }
        if (!schema.has("format")) {
            return null;
        }
        Regex format = StringFormats.named(schema.text("format"));
        if (format == null) {
            throw schema.wrong("has the format " + schema.text("format") + ", which is not supported; there are "
                    + String.join(", ", StringFormats.names()) + "; or use pattern");
        }
        return format;
    }

    private void array(SchemaNode schema, int source, int target) {
        List<SchemaNode> first = schema.has("prefixItems") ? schema.list("prefixItems") : List.of();
        if (schema.json().path("items").isArray()) {
            throw schema.wrong("has a list as items, which is not supported; use prefixItems");
        }
        int min = schema.count("minItems", 0);
        if (min > MOST_COUNTED) {
            throw schema.wrong("has minItems " + min + "; at most " + MOST_COUNTED + " is supported");
        }
        int max = schema.has("maxItems") ? Math.min(schema.count("maxItems", 0), MOST_COUNTED) : Regex.UNLIMITED;
        boolean restAllowed = !schema.has("items") || !schema.child("items").isAlways(false);
        if (!restAllowed) {
            max = max == Regex.UNLIMITED ? first.size() : Math.min(max, first.size());
        }
        int counted = max == Regex.UNLIMITED ? Math.max(min, first.size()) : max;
        int open = out.node();
        out.text("[", source, open);
        if (min == 0) {
            out.text("]", open, target);
        }
        int at = open;
        for (int i = 0; i < counted; i++) {
            int next = out.node();
            item(schema, first, i, at, next);
            if (i + 1 >= min) {
                out.text("]", next, target);
            }
            at = next;
            if (i + 1 < counted || max == Regex.UNLIMITED) {
                at = out.node();
                out.comma(next, at);
            }
        }
        if (max == Regex.UNLIMITED) {
            int next = out.node();
            item(schema, first, counted, at, next);
            out.text("]", next, target);
            out.comma(next, at);
        }
    }

    private void item(SchemaNode schema, List<SchemaNode> first, int index, int source, int target) {
        if (index < first.size()) {
            call(first.get(index), source, target);
        } else if (schema.has("items")) {
            call(schema.child("items"), source, target);
        } else {
            out.anyValue(source, target);
        }
    }

    private void call(SchemaNode schema, int source, int target) {
        if (schema.isAlways(true)) {
            out.anyValue(source, target);
        } else {
            out.call(rule(schema), source, target);
        }
    }

    /** Name and schema of a property; a null schema allows any value. */
    private record Property(String name, @Nullable SchemaNode schema, boolean required) {}

    private void object(SchemaNode schema, int source, int target) {
        List<Property> properties = properties(schema);
        boolean open = schema.has("additionalProperties")
                ? !schema.child("additionalProperties").isAlways(false)
                : !schema.has("properties") && !schema.has("required");
        checkCounts(schema, properties, open);
        int[] choose = new int[properties.size() + 1];
        int[] behind = new int[properties.size() + 1];
        boolean[] closable = new boolean[properties.size() + 1];
        closable[properties.size()] = true;
        for (int i = properties.size(); i >= 0; i--) {
            choose[i] = out.node();
            behind[i] = out.node();
            closable[i] = i == properties.size() || !properties.get(i).required() && closable[i + 1];
            out.comma(behind[i], choose[i]);
            if (closable[i]) {
                out.text("}", behind[i], target);
            }
        }
        out.text("{", source, choose[0]);
        if (closable[0]) {
            out.text("{}", source, target);
        }
        for (int i = 0; i < properties.size(); i++) {
            Property property = properties.get(i);
            int name = out.node();
            out.jump(choose[i], name);
            if (!property.required()) {
                out.jump(choose[i], choose[i + 1]);
            }
            int colon = out.node();
            int value = out.node();
            out.name(property.name(), name, colon);
            out.colon(colon, value);
            if (property.schema() == null) {
                out.anyValue(value, behind[i + 1]);
            } else {
                call(property.schema(), value, behind[i + 1]);
            }
        }
        if (open) {
            int last = properties.size();
            int colon = out.node();
            int value = out.node();
            out.otherName(properties.stream().map(Property::name).toList(), choose[last], colon);
            out.colon(colon, value);
            if (schema.has("additionalProperties")) {
                call(schema.child("additionalProperties"), value, behind[last]);
            } else {
                out.anyValue(value, behind[last]);
            }
        }
    }

    private static List<Property> properties(SchemaNode schema) {
        JsonNode declared = schema.json().path("properties");
        if (!declared.isMissingNode() && !declared.isObject()) {
            throw schema.wrong("has properties that are no object");
        }
        Set<String> required = new LinkedHashSet<>(schema.required());
        List<Property> properties = new ArrayList<>();
        Set<String> names = new HashSet<>();
        for (String name : declared.propertyNames()) {
            properties.add(new Property(name, schema.child("properties", name), required.contains(name)));
            names.add(name);
        }
        boolean others = schema.has("additionalProperties");
        for (String name : required) {
            if (names.add(name)) {
                if (others && schema.child("additionalProperties").isAlways(false)) {
                    throw schema.wrong("requires " + name + ", which is not among its properties");
                }
                properties.add(new Property(name, others ? schema.child("additionalProperties") : null, true));
            }
        }
        if (properties.size() > MOST_PROPERTIES) {
            throw schema.wrong("has " + properties.size() + " properties; at most " + MOST_PROPERTIES);
        }
        for (Property property : properties) {
            if (property.name().length() > LONGEST_NAME) {
                throw schema.wrong("has a property whose name is longer than " + LONGEST_NAME + " characters");
            }
        }
        return properties;
    }

    private static void checkCounts(SchemaNode schema, List<Property> properties, boolean open) {
        long required = properties.stream().filter(Property::required).count();
        if (schema.count("minProperties", 0) > required) {
            throw schema.wrong("has minProperties above the number of its required properties, which is not supported;"
                    + " make more of them required");
        }
        if (schema.has("maxProperties") && (open || schema.count("maxProperties", 0) < properties.size())) {
            throw schema.wrong("has maxProperties, which is not supported; leave it out, or use anyOf");
        }
    }
}
