package dev.tsumugi.trainer.sets;

import dev.tsumugi.trainer.examples.Example;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collection;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Gives documents, and so the examples that rest on them, to splits: by a hash of the document's id, the same for every set. An example
 * without documents goes by its contexts, and one without contexts by its question.
 */
record Splitter(int heldOutPercent, int validationPercent) {

    /** What must not be in two splits. */
    static Set<String> keys(Example example) {
        Set<String> documents = example.allDocuments();
        if (!documents.isEmpty()) {
            return documents.stream().map(document -> "document " + document).collect(Collectors.toSet());
        }
        if (!example.contexts().isEmpty()) {
            return example.contexts().stream()
                    .map(context -> "context " + NormalizedText.of(context))
                    .collect(Collectors.toSet());
        }
        return Set.of("question " + NormalizedText.of(example.question()));
    }

    Split splitOfKey(String key) {
        int bucket = (int) Math.floorMod(hash(key), 100L);
        if (bucket < heldOutPercent) {
            return Split.HELD_OUT;
        }
        return bucket < heldOutPercent + validationPercent ? Split.VALIDATION : Split.TRAIN;
    }

    Split splitOfDocument(String document) {
        return splitOfKey("document " + document);
    }

    /** Null when the keys do not all belong to one split: the example would carry what one split knows into another. */
    @Nullable
    Split splitOf(Collection<String> keys) {
        Set<Split> splits = keys.stream().map(this::splitOfKey).collect(Collectors.toSet());
        return splits.size() == 1 ? splits.iterator().next() : null;
    }

    /** Evenly spread, and the same on every machine. */
    static long hash(String text) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            return ByteBuffer.wrap(digest).getLong();
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
