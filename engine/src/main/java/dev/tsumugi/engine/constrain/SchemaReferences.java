package dev.tsumugi.engine.constrain;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/** Finds what {@code $ref} refers to within one schema. */
final class SchemaReferences {
    private final JsonNode root;
    private final CompileBudget budget;

    /** Paths of schemas that are known not to come back to themselves. */
    private final Set<String> harmless = new HashSet<>();

    /** A schema on the way and what is still to be looked at behind it. */
    private record Open(String path, Iterator<SchemaNode> ahead) {}

    SchemaReferences(JsonNode root, CompileBudget budget) {
        this.root = root;
        this.budget = budget;
    }

    /** @throws ConstraintException when there is no such schema, or finding it leads back to {@code schema} */
    SchemaNode target(SchemaNode schema) {
        SchemaNode target = follow(schema);
        checkAhead(target, schema);
        return target;
    }

    private SchemaNode follow(SchemaNode schema) {
        String reference = schema.text("$ref");
        if (!reference.equals("#") && !reference.startsWith("#/")) {
            throw schema.wrong("refers to " + reference
                    + ", which is not supported; put the schema under $defs and refer to #/$defs/name");
        }
        SchemaNode node = new SchemaNode(root, "#");
        String[] steps = decoded(reference, schema).split("/", -1);
        budget.spend(steps.length);
        for (int i = 1; i < steps.length; i++) {
            String step = steps[i].replace("~1", "/").replace("~0", "~");
            boolean index = node.json().isArray() && step.matches("0|[1-9][0-9]{0,5}");
            if (!index && !node.json().has(step)) {
                throw schema.wrong("refers to " + reference + ", which is not there");
            }
            node = node.child(step);
        }
        if (node.json().isMissingNode()) {
            throw schema.wrong("refers to " + reference + ", which is not there");
        }
        return node;
    }

    private static String decoded(String reference, SchemaNode schema) {
        try {
            return URLDecoder.decode(reference.replace("+", "%2B"), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            throw schema.wrong("refers to " + reference + ", where % is not followed by two digits of a byte");
        }
    }

    /** A schema that comes back to itself before anything is read would never end. */
    private void checkAhead(SchemaNode target, SchemaNode reference) {
        Deque<Open> way = new ArrayDeque<>();
        Set<String> onTheWay = new HashSet<>();
        enter(target, way, onTheWay, reference);
        while (!way.isEmpty()) {
            Open last = way.getLast();
            if (last.ahead().hasNext()) {
                enter(last.ahead().next(), way, onTheWay, reference);
            } else {
                harmless.add(last.path());
                onTheWay.remove(last.path());
                way.removeLast();
            }
        }
    }

    private void enter(SchemaNode schema, Deque<Open> way, Set<String> onTheWay, SchemaNode reference) {
        budget.spend(1);
        if (harmless.contains(schema.path())) {
            return;
        }
        if (!onTheWay.add(schema.path())) {
            throw reference.wrong("refers to itself without anything between");
        }
        way.addLast(new Open(schema.path(), ahead(schema).iterator()));
    }

    /** Schemas that hold at the very place where {@code schema} does. */
    private List<SchemaNode> ahead(SchemaNode schema) {
        List<SchemaNode> ahead = new ArrayList<>();
        if (schema.has("$ref")) {
            ahead.add(follow(schema));
        }
        for (String keyword : List.of("anyOf", "oneOf", "allOf")) {
            if (schema.has(keyword)) {
                ahead.addAll(schema.list(keyword));
            }
        }
        return ahead;
    }
}
