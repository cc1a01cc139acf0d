package dev.tsumugi.retriever.tenancy;

import java.util.Collection;
import java.util.stream.Collectors;

/** Text arrays in PostgreSQL's notation, which settings need: they hold text only. */
final class PostgresArrays {
    private PostgresArrays() {}

    /** For example <code>{"hr","a \"quoted\" one"}</code>. */
    static String literal(Collection<String> elements) {
        return elements.stream()
                .map(element -> '"' + element.replace("\\", "\\\\").replace("\"", "\\\"") + '"')
                .collect(Collectors.joining(",", "{", "}"));
    }
}
