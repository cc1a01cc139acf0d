package dev.tsumugi.engine.constrain;

import dev.tsumugi.engine.constrain.SchemaNode.Kind;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/** Whether two alternatives of {@code oneOf} can hold for one value. Where it cannot tell, it says that they can. */
final class SchemaOverlap {
    private static final int DEEPEST = 16;

    private final SchemaReferences references;
    private final CompileBudget budget;
    private final Set<Pair> disjoint = new HashSet<>();

    /** The least depth at which it could not be told; where less depth is left, it cannot be told either. */
    private final Map<Pair, Integer> untold = new HashMap<>();

    private int depth;

    /** Two schemas, each the same object. */
    private record Pair(JsonNode a, JsonNode b) {
        @Override
        public int hashCode() {
            return System.identityHashCode(a) * 31 + System.identityHashCode(b);
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Pair pair && a == pair.a && b == pair.b;
        }
    }

    SchemaOverlap(SchemaReferences references, CompileBudget budget) {
        this.references = references;
        this.budget = budget;
    }

    /** Whether no text that is written for one of them is valid under the other. */
    boolean areDisjoint(SchemaNode a, SchemaNode b) {
        budget.spend(1);
        Pair pair = new Pair(a.json(), b.json());
        if (disjoint.contains(pair)) {
            return true;
        }
        if (depth >= untold.getOrDefault(pair, DEEPEST)) {
            return false;
        }
        depth++;
        boolean told = compare(a, b);
        depth--;
        if (told) {
            disjoint.add(pair);
        } else {
            untold.put(pair, depth);
        }
        return told;
    }

    private boolean compare(SchemaNode a, SchemaNode b) {
        for (String keyword : List.of("anyOf", "oneOf", "allOf")) {
            if (a.has(keyword)) {
                budget.spend(a.json().path(keyword).size());
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
        budget.spend(a.json().path("enum").size() + b.json().path("enum").size());
        List<JsonNode> valuesOfA = a.values();
        List<JsonNode> valuesOfB = b.values();
        if (valuesOfA != null && valuesOfB != null) {
            budget.spend((int) Math.min((long) valuesOfA.size() * valuesOfB.size(), Integer.MAX_VALUE));
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
        Set<String> requiredOfA = new LinkedHashSet<>(a.required());
        List<String> requiredOfB = b.required();
        budget.spend(requiredOfA.size() + requiredOfB.size());
        for (String name : requiredOfA) {
            boolean inA = a.json().path("properties").has(name);
            boolean inB = b.json().path("properties").has(name);
            if (inA && inB && areDisjoint(a.child("properties", name), b.child("properties", name))
                    || !inB && bIsClosed) {
                return true;
            }
        }
        for (String name : requiredOfB) {
            if (!aIsOpen && !a.json().path("properties").has(name) && !requiredOfA.contains(name)) {
                return true;
            }
        }
        return false;
    }
}
