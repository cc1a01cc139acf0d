package dev.tsumugi.trainer.examples;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Reads examples from
 *
 * <ul>
 *   <li>our own JSON Lines: {@code {"id", "question", "contexts": [..] or "context", "cited": [..], "answer", "answerable"}}, where a context is
 *       a text or {@code {"text", "documentId"}} and {@code cited} names the documents that hold the answer,
 *   <li>Alpaca: {@code {"instruction", "input", "output"}}, as lines or as one JSON array,
 *   <li>SQuAD 1.1 and 2.0: one JSON object with {@code data}; an article counts as a document.
 * </ul>
 */
final class ExampleFormats {
    private static final int MAX_REPORTED = 20;
    private final JsonMapper json = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    /** @param errors what is wrong with which line or element; when there is one, nothing should be stored */
    record Result(List<Example> examples, List<String> errors) {}

    Result read(byte[] body) {
        Collector collector = new Collector();
        String text = text(body, collector);
        if (text == null) {
            return collector.result();
        }
        JsonNode whole = whole(text);
        if (whole == null) {
            readLines(text, collector);
        } else if (whole.isArray()) {
            for (int i = 0; i < whole.size(); i++) {
                collector.add("element " + (i + 1), whole.get(i));
            }
        } else if (whole.has("data")) {
            readSquad(whole.get("data"), collector);
        } else {
            collector.add("line 1", whole);
        }
        return collector.result();
    }

    private static @Nullable String text(byte[] body, Collector collector) {
        try {
            String text = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(body))
                    .toString();
            return text.startsWith("\uFEFF") ? text.substring(1) : text;
        } catch (CharacterCodingException e) {
            collector.error("the body is not UTF-8 text");
            return null;
        }
    }

    /** The body as one JSON value; null when it is none, and so should be lines. */
    private @Nullable JsonNode whole(String text) {
        try {
            JsonNode node = json.readTree(text);
            return node != null && node.isContainer() ? node : null;
        } catch (JacksonException e) {
            return null;
        }
    }

    private void readLines(String text, Collector collector) {
        int number = 0;
        for (String line : (Iterable<String>) text.lines()::iterator) {
            number++;
            if (line.isBlank()) {
                continue;
            }
            try {
                collector.add("line " + number, json.readTree(line));
            } catch (JacksonException e) {
                collector.error("line " + number + ": not a JSON object: " + e.getOriginalMessage());
            }
        }
    }

    private static void readSquad(JsonNode articles, Collector collector) {
        int number = 0;
        for (JsonNode article : articles) {
            String title = string(article, "title");
            String document = title == null || title.isBlank() ? "" : "squad:" + title;
            for (JsonNode paragraph : article.path("paragraphs")) {
                List<String> contexts = strings(paragraph.path("context"));
                for (JsonNode asked : paragraph.path("qas")) {
                    number++;
                    boolean impossible = asked.path("is_impossible").asBoolean(false);
                    collector.check(
                            "question " + number,
                            asked,
                            () -> Example.checked(
                                    string(asked, "id"),
                                    string(asked, "question"),
                                    contexts,
                                    contexts.stream().map(context -> document).toList(),
                                    List.of(),
                                    string(asked.path("answers").path(0), "text"),
                                    !impossible));
                }
            }
        }
        if (number == 0) {
            collector.error("the field data holds no paragraphs with questions (SQuAD: data[].paragraphs[].qas[])");
        }
    }

    private static Example example(JsonNode node) {
        if (node.has("instruction")) {
            return Example.checked(
                    string(node, "id"),
                    string(node, "instruction"),
                    strings(node.path("input")),
                    string(node, "output"),
                    true);
        }
        if (!node.has("question")) {
            throw new InvalidExampleException("neither \"question\" nor \"instruction\" is there");
        }
        List<String> contexts = new ArrayList<>();
        List<String> documents = new ArrayList<>();
        JsonNode given = node.has("contexts") ? node.path("contexts") : node.path("context");
        for (JsonNode element : given.isArray() ? given : List.of(given)) {
            List<String> text = strings(element.isObject() ? element.path("text") : element);
            String document = element.isObject() ? string(element, "documentId") : null;
            text.forEach(context -> {
                contexts.add(context);
                documents.add(document == null ? "" : document);
            });
        }
        return Example.checked(
                string(node, "id"),
                string(node, "question"),
                contexts,
                documents,
                strings(node.path("cited")),
                string(node, "answer"),
                node.path("answerable").asBoolean(true));
    }

    private static @Nullable String string(JsonNode node, String field) {
        JsonNode value = node.path(field);
        if (value.isMissingNode() || value.isNull()) {
            return null;
        }
        if (!value.isString() && !value.isNumber()) {
            throw new InvalidExampleException("the field " + field + " is not a text");
        }
        return value.asString();
    }

    private static List<String> strings(JsonNode node) {
        if (node.isMissingNode() || node.isNull()) {
            return List.of();
        }
        List<String> texts = new ArrayList<>();
        for (JsonNode element : node.isArray() ? node : List.of(node)) {
            if (!element.isString()) {
                throw new InvalidExampleException("a context or cited document is not a text");
            }
            if (!element.stringValue().isBlank()) {
                texts.add(element.stringValue());
            }
        }
        return texts;
    }

    private static final class Collector {
        private final List<Example> examples = new ArrayList<>();
        private final List<String> errors = new ArrayList<>();

        void add(String place, JsonNode node) {
            check(place, node, () -> example(node));
        }

        void check(String place, JsonNode node, java.util.function.Supplier<Example> reader) {
            if (!node.isObject()) {
                error(place + ": not a JSON object");
                return;
            }
            try {
                examples.add(reader.get());
            } catch (InvalidExampleException e) {
                error(place + ": " + e.getMessage());
            }
        }

        void error(String error) {
            if (errors.size() < MAX_REPORTED) {
                errors.add(error);
            }
        }

        Result result() {
            if (examples.isEmpty() && errors.isEmpty()) {
                error("the body holds no example");
            }
            return new Result(examples, errors);
        }
    }
}
