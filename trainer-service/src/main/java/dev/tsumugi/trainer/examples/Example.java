package dev.tsumugi.trainer.examples;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * What a model should answer.
 *
 * @param id unique in its tenant; derived from the content when none is given
 * @param contexts passages that hold the answer, or do not when {@code answerable} is false; empty: retrieved when training
 * @param documents for each context the id of the document it stands in, empty where that is not known
 * @param cited documents that hold the answer, as far as they are known
 * @param origins for a question that was taken from another example: the documents of that one, about which it asks
 * @param answer empty when the question cannot be answered
 */
public record Example(
        String id,
        String question,
        List<String> contexts,
        List<String> documents,
        List<String> cited,
        List<String> origins,
        String answer,
        boolean answerable) {
    private static final int MAX_ID = 200;
    private static final int MAX_QUESTION = 8_000;
    private static final int MAX_ANSWER = 32_000;
    private static final int MAX_CONTEXTS = 50;
    private static final int MAX_CONTEXT = 200_000;
    private static final int MAX_DOCUMENT = 512;

    public Example {
        contexts = List.copyOf(contexts);
        documents = List.copyOf(documents);
        cited = List.copyOf(cited);
        // Stored examples of earlier days have none.
        origins = Objects.requireNonNullElse(origins, List.<String>of());
        origins = List.copyOf(origins);
        if (documents.size() != contexts.size()) {
            throw new IllegalArgumentException(contexts.size() + " contexts of " + documents.size() + " documents");
        }
    }

    /** As the other, where no documents are known. */
    public static Example checked(
            @Nullable String id,
            @Nullable String question,
            List<String> contexts,
            @Nullable String answer,
            boolean answerable) {
        return checked(id, question, contexts, List.of(), List.of(), answer, answerable);
    }

    /**
     * @param documents of the contexts; empty: unknown
     * @throws InvalidExampleException naming the field that breaks a rule
     */
    public static Example checked(
            @Nullable String id,
            @Nullable String question,
            List<String> contexts,
            List<String> documents,
            List<String> cited,
            @Nullable String answer,
            boolean answerable) {
        if (question == null || question.isBlank()) {
            throw new InvalidExampleException("the question is missing");
        }
        if (answerable && (answer == null || answer.isBlank())) {
            throw new InvalidExampleException(
                    "the answer is missing; give one, or say \"answerable\": false for a question that cannot be answered");
        }
        if (id != null && id.isBlank()) {
            throw new InvalidExampleException("the id is blank; leave it out to have one derived");
        }
        limit("id", id, MAX_ID);
        limit("question", question, MAX_QUESTION);
        limit("answer", answer, MAX_ANSWER);
        contexts.forEach(context -> limit("context", context, MAX_CONTEXT));
        if (contexts.size() > MAX_CONTEXTS || cited.size() > MAX_CONTEXTS) {
            throw new InvalidExampleException("there are more than " + MAX_CONTEXTS + " contexts or cited documents");
        }
        if (!documents.isEmpty() && documents.size() != contexts.size()) {
            throw new InvalidExampleException("there are " + contexts.size() + " contexts but " + documents.size()
                    + " documents; name one document for each context, or none");
        }
        documents.forEach(document -> limit("document", document, MAX_DOCUMENT));
        cited.forEach(document -> limit("cited document", document, MAX_DOCUMENT));
        String told = answer == null || !answerable ? "" : answer;
        return new Example(
                id == null ? idOf(question, contexts, told) : id,
                question,
                contexts,
                documents.isEmpty() ? contexts.stream().map(context -> "").toList() : documents,
                cited,
                List.of(),
                told,
                answerable);
    }

    /** All documents that it rests on, each once. */
    public Set<String> allDocuments() {
        Set<String> all = new TreeSet<>(documents);
        all.addAll(cited);
        all.addAll(origins);
        all.remove("");
        return all;
    }

    /** SHA-256 of all that it says, in hexadecimal digits; its id is no part of that. */
    public String digest() {
        List<String> parts = new ArrayList<>(List.of(
                question,
                String.join("\0", contexts),
                String.join("\0", documents),
                String.join("\0", cited),
                answer,
                Boolean.toString(answerable)));
        if (!origins.isEmpty()) {
            parts.add(String.join("\0", origins));
        }
        return HexFormat.of().formatHex(hash(parts));
    }

    /** Itself, with other contexts. */
    public Example withContexts(List<String> others, List<String> othersDocuments) {
        return new Example(id, question, others, othersDocuments, cited, origins, answer, answerable);
    }

    private static void limit(String field, @Nullable String value, int max) {
        if (value == null) {
            return;
        }
        if (value.length() > max) {
            throw new InvalidExampleException("the " + field + " has more than " + max + " characters");
        }
        if (value.indexOf('\0') >= 0) {
            throw new InvalidExampleException("the " + field + " holds a NUL character");
        }
    }

    private static String idOf(String question, List<String> contexts, String answer) {
        return HexFormat.of().formatHex(hash(List.of(question, String.join("\0", contexts), answer)), 0, 16);
    }

    private static byte[] hash(List<String> parts) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            for (String part : parts) {
                digest.update(part.getBytes(StandardCharsets.UTF_8));
                digest.update((byte) 0);
            }
            return digest.digest();
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
