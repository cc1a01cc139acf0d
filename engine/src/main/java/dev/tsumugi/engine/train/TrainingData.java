package dev.tsumugi.engine.train;

import dev.tsumugi.engine.train.TrainingRefusedException.Reason;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/**
 * A checked set: every sequence fits a micro-batch, has a target, and holds tokens of the model only.
 *
 * @param tooLong sequences that were left out because of their length
 * @param withoutTargets sequences that were left out because they teach nothing
 */
record TrainingData(List<TrainingSequence> sequences, int tooLong, int withoutTargets) {
    private static final int NAMED = 3;

    /**
     * @param what the set is called in errors
     * @param longest tokens of a sequence
     */
    static TrainingData of(String what, List<TrainingSequence> all, int longest, int vocabulary) {
        List<TrainingSequence> kept = new ArrayList<>();
        int tooLong = 0;
        int withoutTargets = 0;
        for (TrainingSequence sequence : all) {
            requireTokens(sequence, vocabulary);
            if (sequence.tokens().length > longest) {
                tooLong++;
            } else if (sequence.targetCount() == 0) {
                withoutTargets++;
            } else {
                kept.add(sequence);
            }
        }
        if (kept.isEmpty() && tooLong > 0) {
            throw new TrainingRefusedException(
                    Reason.EMPTY,
                    "every sequence of the " + what + " set that has targets is longer than " + longest
                            + " tokens; allow longer micro-batches, or cut the contexts");
        }
        if (kept.isEmpty() && withoutTargets > 0) {
            throw new TrainingRefusedException(
                    Reason.NOTHING_TO_LEARN,
                    "no token of the " + what + " set is a target: all labels are masked; mark the answers as targets");
        }
        return new TrainingData(List.copyOf(kept), tooLong, withoutTargets);
    }

    private static void requireTokens(TrainingSequence sequence, int vocabulary) {
        for (int token : sequence.tokens()) {
            if (token < 0 || token >= vocabulary) {
                throw new TrainingRefusedException(
                        Reason.MISMATCH,
                        "sequence " + sequence.id() + " has the token " + token + ", and the model " + vocabulary
                                + " tokens; make sequences with the tokenizer of this model");
            }
        }
    }

    /** @throws TrainingRefusedException when a sequence of {@code validation} has the same tokens as one of this set */
    void requireApartFrom(TrainingData validation) {
        Map<String, String> seen = new HashMap<>();
        sequences.forEach(sequence -> seen.put(content(sequence), sequence.id()));
        List<String> leaked = new ArrayList<>();
        for (TrainingSequence sequence : validation.sequences) {
            String twin = seen.get(content(sequence));
            if (twin != null) {
                leaked.add(sequence.id() + " (trained on as " + twin + ")");
            }
        }
        if (!leaked.isEmpty()) {
            throw new TrainingRefusedException(
                    Reason.LEAK,
                    leaked.size() + " of " + validation.sequences.size()
                            + " validation sequences are in the training set too: "
                            + String.join(", ", leaked.subList(0, Math.min(NAMED, leaked.size())))
                            + (leaked.size() > NAMED ? ", ..." : "") + "; split by document, and remove duplicates");
        }
    }

    private static String content(TrainingSequence sequence) {
        return HexFormat.of().formatHex(sha256().digest(Numbers.bytes(sequence.tokens())));
    }

    void digest(MessageDigest digest) {
        for (TrainingSequence sequence : sequences) {
            digest.update(Numbers.bytes(new int[] {sequence.tokens().length}));
            digest.update(Numbers.bytes(sequence.tokens()));
            for (boolean target : sequence.targets()) {
                digest.update((byte) (target ? 1 : 0));
            }
        }
    }

    static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    int targets() {
        return sequences.stream().mapToInt(TrainingSequence::targetCount).sum();
    }
}
