package dev.tsumugi.contracts.event;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Value of {@code training-examples}: what a model should answer. The key is {@code tenant/exampleId}; a null value deletes the example.
 *
 * @param contexts passages that hold the answer, or that do not when {@code answerable} is false; empty: retrieved when training
 * @param documents for each context the id of the document it stands in, empty where that is not known; absent: none is known
 * @param cited documents that hold the answer
 * @param answer the wanted answer; empty when the question cannot be answered
 */
public record TrainingExample(
        int schemaVersion,
        String question,
        @Nullable List<String> contexts,
        @Nullable List<String> documents,
        @Nullable List<String> cited,
        String answer,
        boolean answerable) {
    public static final int SCHEMA_VERSION = 1;
}
