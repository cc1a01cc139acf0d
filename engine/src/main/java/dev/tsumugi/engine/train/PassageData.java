package dev.tsumugi.engine.train;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;

/**
 * Checked examples with passages: every sequence fits a micro-batch, has a target, and holds tokens of the model only.
 *
 * @param sequences of all passages
 * @param tooLong sequences that were left out because of their length; an example without any other is left out with them
 * @param withoutTargets sequences that were left out because they teach nothing
 */
record PassageData(List<PassageExample> examples, TrainingData sequences, int tooLong, int withoutTargets) {

    /** As {@link TrainingData#of}. */
    static PassageData of(String what, List<PassageExample> all, int longest, int vocabulary) {
        List<TrainingSequence> sequences = new ArrayList<>();
        all.forEach(example -> example.passages().forEach(passage -> sequences.add(passage.sequence())));
        TrainingData checked = TrainingData.of(what, sequences, longest, vocabulary);
        Set<TrainingSequence> kept = Collections.newSetFromMap(new IdentityHashMap<>());
        kept.addAll(checked.sequences());
        List<PassageExample> examples = new ArrayList<>();
        for (PassageExample example : all) {
            List<PassageExample.Passage> passages = example.passages().stream()
                    .filter(passage -> kept.contains(passage.sequence()))
                    .toList();
            if (!passages.isEmpty()) {
                examples.add(new PassageExample(example.id(), example.question(), passages));
            }
        }
        return new PassageData(List.copyOf(examples), checked, checked.tooLong(), checked.withoutTargets());
    }

    void digest(MessageDigest digest) {
        sequences.digest(digest);
        for (PassageExample example : examples) {
            digest.update(bytes(example.question()));
            example.passages().forEach(passage -> digest.update(bytes(passage.vector())));
            digest.update((byte) '\n');
        }
    }

    private static byte[] bytes(float[] values) {
        ByteBuffer buffer = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        buffer.asFloatBuffer().put(values);
        return buffer.array();
    }
}
