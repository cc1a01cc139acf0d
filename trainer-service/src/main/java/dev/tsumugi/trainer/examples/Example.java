package dev.tsumugi.trainer.examples;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a model should answer.
 *
 * @param id unique in its tenant; derived from the content when none is given
 * @param contexts passages that hold the answer, or do not when {@code answerable} is false; empty: retrieved when training
 * @param answer empty when the question cannot be answered
 */
record Example(String id, String question, List<String> contexts, String answer, boolean answerable) {
    private static final int MAX_ID = 200;
    private static final int MAX_QUESTION = 8_000;
    private static final int MAX_ANSWER = 32_000;
    private static final int MAX_CONTEXTS = 50;
    private static final int MAX_CONTEXT = 200_000;

    Example {
        contexts = List.copyOf(contexts);
    }

    /** @throws InvalidExampleException naming the field that breaks a rule */
    static Example checked(
            @Nullable String id,
            @Nullable String question,
            List<String> contexts,
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
        if (contexts.size() > MAX_CONTEXTS) {
            throw new InvalidExampleException("there are more than " + MAX_CONTEXTS + " contexts");
        }
        String told = answer == null ? "" : answer;
        return new Example(
                id == null ? idOf(question, contexts, told) : id,
                question,
                contexts,
                answerable ? told : "",
                answerable);
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
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            for (String part : List.of(question, String.join("\0", contexts), answer)) {
                digest.update(part.getBytes(StandardCharsets.UTF_8));
                digest.update((byte) 0);
            }
            return HexFormat.of().formatHex(digest.digest(), 0, 16);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
