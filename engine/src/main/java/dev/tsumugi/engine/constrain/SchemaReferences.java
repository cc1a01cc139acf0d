package dev.tsumugi.engine.constrain;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/** Finds what {@code $ref} refers to within one schema. */
final class SchemaReferences {
    private final JsonNode root;

    SchemaReferences(JsonNode root) {
        this.root = root;
    }

    /** @throws ConstraintException when there is no such schema, or finding it leads back to {@code schema} */
    SchemaNode target(SchemaNode schema) {
        SchemaNode target = follow(schema);
        checkAhead(target, new HashSet<>(), schema);
        return target;
    }

    private SchemaNode follow(SchemaNode schema) {
        String reference = schema.text("$ref");
        if (!reference.equals("#") && !reference.startsWith("#/")) {
            throw schema.wrong("refers to " + reference
                    + ", which is not supported; put the schema under $defs and refer to #/$defs/name");
        }
        SchemaNode node = new SchemaNode(root, "#");
        String[] steps = URLDecoder.decode(reference.replace("+", "%2B"), StandardCharsets.UTF_8)
                .split("/", -1);
        for (int i = 1; i < steps.length; i++) {
            String step = steps[i].replace("~1", "/").replace("~0", "~");
            boolean index = node.json().isArray() && step.matches("[0-9]{1,6}");
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

    /** A schema that comes back to itself before anything is read would never end. */
    private void checkAhead(SchemaNode at, Set<String> open, SchemaNode reference) {
        if (!open.add(at.path())) {
            throw reference.wrong("refers to itself without anything between");
        }
        if (at.has("$ref")) {
            checkAhead(follow(at), open, reference);
        }
        for (String keyword : new String[] {"anyOf", "oneOf", "allOf"}) {
            if (at.has(keyword)) {
                at.list(keyword).forEach(alternative -> checkAhead(alternative, open, reference));
            }
        }
        open.remove(at.path());
    }
}
