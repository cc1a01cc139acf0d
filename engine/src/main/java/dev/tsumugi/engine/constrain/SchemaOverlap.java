package dev.tsumugi.engine.constrain;

import dev.tsumugi.engine.constrain.SchemaNode.Kind;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/** Whether two alternatives of {@code oneOf} can hold for one value. Where it cannot tell, it says that they can. */
final class SchemaOverlap {
    private static final int DEEPEST = 16;

    private final SchemaReferences references;
    private int depth;

    SchemaOverlap(SchemaReferences references) {
        this.references = references;
    }

    /** Whether no text that is written for one of them is valid under the other. */
    boolean areDisjoint(SchemaNode a, SchemaNode b) {
        if (depth == DEEPEST) {
            return false;
        }
        depth++;
        boolean disjoint = compare(a, b);
        depth--;
        return disjoint;
    }

    private boolean compare(SchemaNode a, SchemaNode b) {
        for (String keyword : List.of("anyOf", "oneOf", "allOf")) {
            if (a.has(keyword)) {
                return a.list(keyword).stream().allMatch(alternative -> areDisjoint(alternative, b));
            }
        }
        if (a.has("$ref")) {
            return areDisjoint(references.target(a), b);
        }
        if (b.has("$ref") || b.has("anyOf") || b.has("oneOf") || b.has("allOf")) {
            return areDisjoint(b, a);
        }
        if (a.isAlways(false) || b.isAlways(false)) {
            return true;
        }
        List<JsonNode> valuesOfA = a.values();
        List<JsonNode> valuesOfB = b.values();
        if (valuesOfA != null && valuesOfB != null) {
            return valuesOfA.stream().noneMatch(value -> valuesOfB.stream().anyMatch(other -> areEqual(value, other)));
        }
        Set<Kind> common = widened(valuesOfA == null ? allowedKinds(a) : kindsOf(valuesOfA));
        common.retainAll(widened(valuesOfB == null ? allowedKinds(b) : kindsOf(valuesOfB)));
        if (common.isEmpty()) {
            return true;
        }
        return valuesOfA == null
                && valuesOfB == null
                && common.equals(EnumSet.of(Kind.OBJECT))
                && isTold(a, b)
                && isTold(b, a);
    }

    /** Kinds of valid values: without {@code type}, keywords of one kind say nothing of the others. */
    private static Set<Kind> allowedKinds(SchemaNode schema) {
        return schema.has("type") ? schema.kinds() : EnumSet.allOf(Kind.class);
    }

    private static Set<Kind> kindsOf(List<JsonNode> values) {
        Set<Kind> kinds = EnumSet.noneOf(Kind.class);
        values.forEach(value -> kinds.add(SchemaNode.kindOf(value)));
        return kinds;
    }

    private static Set<Kind> widened(Set<Kind> kinds) {
        Set<Kind> widened = kinds.isEmpty() ? EnumSet.noneOf(Kind.class) : EnumSet.copyOf(kinds);
        if (widened.contains(Kind.NUMBER) || widened.contains(Kind.INTEGER)) {
            widened.add(Kind.NUMBER);
            widened.add(Kind.INTEGER);
        }
        return widened;
    }

    private static boolean areEqual(JsonNode a, JsonNode b) {
        return a.isNumber() && b.isNumber() ? a.decimalValue().compareTo(b.decimalValue()) == 0 : a.equals(b);
    }

    /** Whether an object that is written for {@code a} always shows that it is not one of {@code b}. */
    private boolean isTold(SchemaNode a, SchemaNode b) {
        boolean aIsOpen = a.has("additionalProperties")
                        && !a.child("additionalProperties").isAlways(false)
                || !a.has("properties") && !a.has("required");
        boolean bIsClosed =
                b.has("additionalProperties") && b.child("additionalProperties").isAlways(false);
        for (String name : a.required()) {
            boolean inA = a.json().path("properties").has(name);
            boolean inB = b.json().path("properties").has(name);
            if (inA && inB && areDisjoint(a.child("properties", name), b.child("properties", name))
                    || !inB && bIsClosed) {
                return true;
            }
        }
        for (String name : b.required()) {
            if (!aIsOpen
                    && !a.json().path("properties").has(name)
                    && !a.required().contains(name)) {
                return true;
            }
        }
        return false;
    }
}
